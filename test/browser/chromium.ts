import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import type { ShowSeam } from "../../src/web/concert/show-seam.ts";
import type { DemoSeam } from "../../src/web/demo-seam.ts";
import { waitUntil } from "../support/wait-until.ts";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/** Drawing in software on a busy machine: a frame may take a second. */
export const SLOW_MS = 120_000;

export const chromiumPath = PLACES.find((place) => existsSync(place));

/** Draws without a GPU, talks to nobody but us, and has a fresh profile. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
      "--ignore-gpu-blocklist",
    ],
  });
}

/** One person's tab, and what it saw of its sockets. */
export class Tab {
  readonly page: Page;
  readonly errors: string[] = [];
  socketsOpened = 0;
  socketsClosed = 0;

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (line) => {
      // Polls of the control API may meet a process that is just being killed.
      if (line.type() === "error" && !/Failed to load/.test(line.text())) {
        this.errors.push(line.text());
      }
    });
    page.on("websocket", (socket) => {
      this.socketsOpened += 1;
      socket.on("close", () => {
        this.socketsClosed += 1;
      });
    });
  }

  /** `query`: what the address has beside the name, for the concert `&event=show`. */
  static async open(browser: Browser, demo: string, name: string, query = ""): Promise<Tab> {
    // A small picture, because each of its points is computed on the CPU.
    const context = await browser.newContext({
      viewport: { width: 480, height: 300 },
      deviceScaleFactor: 0.5,
    });
    const tab = new Tab(await context.newPage());
    const address = `${demo}?auto=1&quality=low&name=${name}${query}`;
    await tab.page.goto(address, { timeout: SLOW_MS, waitUntil: "commit" });
    await tab.inside();
    return tab;
  }

  /** Waits until the page is in the room, or at the concert, and has drawn it. */
  async inside(): Promise<void> {
    // Not waitForFunction: it evaluates in the page, where the content policy forbids that.
    await this.waits("the page to be in the room", () =>
      this.page.evaluate(() => window.demo !== undefined || window.show !== undefined),
    );
    await this.page.evaluate(() => (window.demo ?? window.show)?.ready);
  }

  /** Runs `question` in the page, on its seam. */
  ask<T, A>(question: (demo: DemoSeam, argument: A) => T | Promise<T>, argument?: A): Promise<T> {
    return this.#evaluate("demo", question.toString(), argument);
  }

  /** The same at the concert. */
  askShow<T>(question: (show: ShowSeam) => T | Promise<T>): Promise<T> {
    return this.#evaluate("show", question.toString(), undefined);
  }

  #evaluate<T>(seam: "demo" | "show", question: string, argument: unknown): Promise<T> {
    const call = `(argument) => (${question})(window.${seam}, argument)`;
    return this.page.evaluate(`(${call})(${JSON.stringify(argument) ?? "undefined"})`);
  }

  /** Where this tab draws somebody; undefined where it does not. */
  async sees(name: string): Promise<{ x: number; z: number } | undefined> {
    const avatars = await this.ask((demo) => demo.avatars());
    return avatars.find((avatar) => avatar.name === name);
  }

  waits(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    return waitUntil(what, condition, {
      timeoutMs: SLOW_MS,
      pollMs: 100,
      dump: () => ({ errors: this.errors, url: this.page.url() }),
    });
  }
}
