/**
 * Moves the `wanted` entries with the highest keys to the front of both arrays, in no order, by
 * Hoare's quickselect: linear on average, in place. Entries from `count` on are not looked at.
 */
export function selectTop(
  keys: Float64Array,
  values: Uint16Array,
  count: number,
  wanted: number,
): void {
  let low = 0;
  let high = count - 1;
  while (low < high && wanted < count) {
    const pivot = keys[(low + high) >> 1] as number;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((keys[left] as number) > pivot) left++;
      while ((keys[right] as number) < pivot) right--;
      if (left > right) break;
      swap(keys, left, right);
      swap(values, left, right);
      left++;
      right--;
    }
    // Now all up to `right` are at least the pivot, all from `left` on at most.
    if (wanted <= right + 1) high = right;
    else if (wanted > left) low = left;
    else return;
  }
}

function swap(array: Float64Array | Uint16Array, a: number, b: number): void {
  const kept = array[a] as number;
  array[a] = array[b] as number;
  array[b] = kept;
}
