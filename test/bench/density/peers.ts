import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import type { Contestant, Running } from "./contestant.ts";

const FOLDER = fileURLToPath(new URL("../peers", import.meta.url));
const START_MS_MAX = 20_000;

/** Puts the peers into their own folder, as its lock file says; nothing where they are there. */
export function installPeers(say: (text: string) => void): void {
  const lock = readOr(path.join(FOLDER, "package-lock.json"));
  const installed = readOr(path.join(FOLDER, "node_modules", ".package-lock.json"));
  if (sameVersions(lock, installed)) return;
  say("installing the peers into test/bench/peers");
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: FOLDER,
    stdio: ["ignore", 2, 2],
  });
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; optional?: boolean }>>;
}

function sameVersions(lock: string, installed: string): boolean {
  if (installed === "") return false;
  const there = (JSON.parse(installed) as Lock).packages;
  return Object.entries((JSON.parse(lock) as Lock).packages).every(
    ([name, { version, optional }]) =>
      name === "" || there[name]?.version === version || (optional === true && !there[name]),
  );
}

const readOr = (file: string): string => (existsSync(file) ? readFileSync(file, "utf8") : "");

const versionOf = (name: string): string => {
  const manifest = path.join(FOLDER, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
};

/** A peer is one process, its server in `script`. */
function peer(options: {
  readonly name: string;
  readonly about: string;
  readonly script: string;
  readonly args?: readonly string[];
  readonly dialect: string;
  readonly sendsAll?: boolean;
}): Contestant {
  return {
    name: options.name,
    about: options.about,
    dialect: path.join(FOLDER, options.dialect),
    sendsAll: () => options.sendsAll ?? true,
    start: () => start([path.join(FOLDER, options.script), ...(options.args ?? [])]),
  };
}

function start(command: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, command, {
    stdio: ["ignore", 2, 2, "ipc"],
    env: { PATH: process.env.PATH, NODE_ENV: "production" },
  });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${command.join(" ")} did not start`));
    }, START_MS_MAX);
    child.once("exit", (code) => {
      clearTimeout(late);
      reject(new Error(`${command.join(" ")} ended with ${code}`));
    });
    child.once("message", ({ port }: { port: number }) => {
      clearTimeout(late);
      resolve({ host: "127.0.0.1", port, close: () => end(child) });
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

/** Call after `installPeers`. */
export function peers(): Contestant[] {
  const ws = `ws ${versionOf("ws")}, msgpackr ${versionOf("msgpackr")}`;
  return [
    peer({
      name: "ws",
      about: `${ws}: by hand, one process, one encoded message for each room and tick`,
      script: "ws-server.mjs",
      dialect: "ws-dialect.mjs",
    }),
    peer({
      name: "ws_preframed",
      about: `${ws}: the same, framed once for all past the public API of ws`,
      script: "ws-server.mjs",
      args: ["--preframed"],
      dialect: "ws-dialect.mjs",
    }),
    peer({
      name: "socketio",
      about: `Socket.IO ${versionOf("socket.io")}: WebSocket only, msgpack parser, volatile`,
      script: "socketio-server.mjs",
      dialect: "socketio-dialect.mjs",
    }),
    peer({
      name: "socketio_text",
      about: `Socket.IO ${versionOf("socket.io")}: the same with its default parser`,
      script: "socketio-server.mjs",
      args: ["--text"],
      dialect: "socketio-text-dialect.mjs",
    }),
    peer({
      name: "colyseus",
      about: `Colyseus ${versionOf("@colyseus/core")}, schema ${versionOf("@colyseus/schema")}: ws transport, patchRate 100, poses by sendBytes`,
      script: "colyseus-server.mjs",
      dialect: "colyseus-dialect.mjs",
    }),
    peer({
      name: "ws_interest",
      about: `${ws}: the same with the product's interest sets`,
      script: "ws-server.mjs",
      args: ["--interest"],
      dialect: "ws-dialect.mjs",
      sendsAll: false,
    }),
  ];
}
