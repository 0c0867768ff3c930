import { type Random, randomBelow } from "../kernel/random.ts";

const FIRST = [
  "Amber",
  "Breezy",
  "Clever",
  "Dapper",
  "Early",
  "Fuzzy",
  "Gentle",
  "Happy",
  "Indigo",
  "Jolly",
  "Kind",
  "Lucky",
  "Mellow",
  "Nimble",
  "Olive",
  "Plucky",
  "Quiet",
  "Rosy",
  "Sunny",
  "Tidy",
];
const SECOND = [
  "Otter",
  "Finch",
  "Maple",
  "Comet",
  "Badger",
  "Willow",
  "Heron",
  "Pebble",
  "Fox",
  "Lantern",
  "Robin",
  "Clover",
  "Marten",
  "Sparrow",
  "Poppy",
  "Hazel",
  "Wren",
  "Acorn",
  "Lynx",
  "Moth",
];

export function friendlyName(random: Random): string {
  const first = FIRST[randomBelow(random, FIRST.length)] ?? "Sunny";
  const second = SECOND[randomBelow(random, SECOND.length)] ?? "Otter";
  return `${first} ${second}`;
}
