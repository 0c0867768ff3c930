/** What bots are called and what they say, so that a demo feels like company. */
const NAMES = [
  "Amara",
  "Bruno",
  "Chloe",
  "Dmitri",
  "Elif",
  "Felix",
  "Greta",
  "Hana",
  "Ines",
  "Jonas",
  "Kofi",
  "Leila",
  "Mara",
  "Nils",
  "Olga",
  "Priya",
  "Quinn",
  "Rosa",
  "Sami",
  "Tomasz",
  "Uma",
  "Vera",
  "Wim",
  "Xenia",
  "Yuki",
  "Zoe",
  "Arlo",
  "Bea",
  "Cem",
  "Dora",
];
const LINES = [
  "Lovely light tonight",
  "Who brought the speaker?",
  "Dance floor is open!",
  "Has anyone seen the blue lamp?",
  "This spot has the best view",
  "Shall we move closer to the stage?",
  "I could stay here for hours",
  "Did the lights just change?",
  "Somebody put the ball back, please",
  "Meet me by the fountain",
  "What a crowd",
  "Encore!",
  "Is it always this calm here?",
  "Careful with the plant",
  "One more song",
  "I like your hat",
];

export const botName = (number: number): string => NAMES[number % NAMES.length] ?? "Robin";

/** The `count`-th line of a person, from 0. Nobody says the same line twice in one run. */
export function botLine(start: number, count: number): string {
  const line = LINES[(start + count) % LINES.length] ?? "Hello";
  const round = Math.floor(count / LINES.length);
  return round === 0 ? line : `${line} (${round + 1})`;
}
