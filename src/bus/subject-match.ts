/** Whether a subject stands for several: it holds `*` or ends in `>`. */
export const isPattern = (subject: string): boolean => /(^|\.)(\*|>)(\.|$)/.test(subject);

/** NATS's rule: `*` stands for one token, `>` at the end for one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const tokens = subject.split(".");
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === ">") return i === wanted.length - 1 && tokens.length > i;
    if (i >= tokens.length) return false;
    if (wanted[i] !== "*" && wanted[i] !== tokens[i]) return false;
  }
  return tokens.length === wanted.length;
}
