/** How many sockets to allow, and the sentence that says why, where it is fewer than wished. */
export function socketCap(
  wished: number,
  reserved: number,
  filesMax: number | undefined,
): { readonly sockets: number; readonly why: string | undefined } {
  if (filesMax === undefined || wished + reserved <= filesMax)
    return { sockets: wished, why: undefined };
  const sockets = Math.max(0, filesMax - reserved);
  return {
    sockets,
    why: `The limit on open files is ${filesMax}, ${reserved} of which are reserved: this gateway takes ${sockets} sockets, not ${wished}. Raise it (ulimit -n, LimitNOFILE) or run more gateways.`,
  };
}
