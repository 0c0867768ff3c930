import type { Cell } from "./cells.ts";
import type { News } from "./news.ts";
import { BEHIND, type Viewer } from "./viewer.ts";

/** Viewers who are written the same bytes. */
export interface Group {
  readonly cell: Cell;
  readonly tier: number;
  readonly channel: number;
  readonly place: number;
  readonly variant: string;
  readonly viewers: Viewer[];
}

/** Sorts the viewers of one tick by what they are written. */
export class Groups {
  readonly all: Group[] = [];
  readonly #news: News;
  readonly #byCell = new Map<Cell, Group[]>();
  /** Most viewers are told what the one before them is. */
  #last: Group | undefined;

  constructor(news: News) {
    this.#news = news;
  }

  add(viewer: Viewer, cell: Cell): void {
    const place = viewer.place < 0 || this.#news.reaches(viewer.place) ? viewer.place : BEHIND;
    const variant = place < 0 ? "" : this.#news.variant(place, viewer);
    if (!this.#last || !isOf(this.#last, viewer, cell, place, variant))
      this.#last = this.#groupOf(viewer, cell, place, variant);
    this.#last.viewers.push(viewer);
  }

  #groupOf(viewer: Viewer, cell: Cell, place: number, variant: string): Group {
    let there = this.#byCell.get(cell);
    if (!there) {
      there = [];
      this.#byCell.set(cell, there);
    }
    for (const group of there) if (isOf(group, viewer, cell, place, variant)) return group;
    const { channel, tier } = viewer;
    const group = { cell, tier: tier.at, channel, place, variant, viewers: [] };
    there.push(group);
    this.all.push(group);
    return group;
  }
}

const isOf = (group: Group, viewer: Viewer, cell: Cell, place: number, variant: string): boolean =>
  group.cell === cell &&
  group.place === place &&
  group.channel === viewer.channel &&
  group.tier === viewer.tier.at &&
  group.variant === variant;
