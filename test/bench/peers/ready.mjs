/** Tells who started this process where it listens, and ends with it. */
export function ready(port) {
  process.send({ port });
  process.on("disconnect", () => process.exit(0));
}
