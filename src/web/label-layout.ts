/** Where a label is on the screen, in pixels; it hangs centred over its foot. */
export interface LabelBox {
  left: number;
  /** Of the foot. */
  bottom: number;
  width: number;
  height: number;
  /** The smaller, the sooner it gets its place; see `rankOf`. */
  rank: number;
  /** Set by `layOut`: it is to be seen. */
  clear: boolean;
}

/** More names than these are read by nobody. */
export const LABELS_MAX = 24;
/** A label keeps its place against one that is nearer by less than this share. */
const STAY = 0.92;
/** Two that were both there may overlap by so much before one goes, or walking people flicker. */
const STAY_OVERLAP_PX = 5;
/** Between labels. */
const GAP_PX = 2;

/**
 * Who speaks is read before whoever is near; whoever is there already stays against who is hardly
 * nearer; my own name, the one I know, gives way to all.
 */
export function rankOf(label: {
  readonly distance: number;
  readonly speaks: boolean;
  readonly mine: boolean;
  readonly clear: boolean;
}): number {
  const distance = label.distance * (label.clear ? STAY : 1);
  if (label.speaks) return distance - 1000;
  return label.mine ? distance + 1000 : distance;
}

/** Decides which labels are seen: the best of those that would cover each other, and so many. */
export function layOut(labels: LabelBox[]): void {
  labels.sort((a, b) => a.rank - b.rank);
  let count = 0;
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] as LabelBox;
    let free = count < LABELS_MAX;
    for (let j = 0; free && j < i; j += 1) {
      const before = labels[j] as LabelBox;
      free = !before.clear || !overlap(before, label);
    }
    label.clear = free;
    if (free) count += 1;
  }
}

/** `before` has its place in this round; `label.clear` is still that of the last one. */
function overlap(before: LabelBox, label: LabelBox): boolean {
  const gap = label.clear ? -STAY_OVERLAP_PX : GAP_PX;
  const across = (before.width + label.width) / 2 + gap - Math.abs(before.left - label.left);
  if (across <= 0) return false;
  return (
    label.bottom - label.height < before.bottom + gap &&
    before.bottom - before.height < label.bottom + gap
  );
}
