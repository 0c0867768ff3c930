import type { FileConfig } from "./schema.ts";

export type NatsUser = "placement" | "node" | "gateway" | "node-data" | "gateway-data" | "sys";

/** How one connection logs in; undefined where the server asks for no login. */
export interface NatsLogin {
  readonly user: NatsUser;
  readonly password: string | undefined;
}

export interface NatsConfig {
  readonly servers: readonly string[];
}

type Common = Pick<FileConfig, "zone" | "log" | "http" | "stopMsMax"> & {
  /** The operator's name of this process; a restart keeps it and has a new incarnation. */
  readonly name: string;
  readonly version: string;
  readonly dev: boolean;
  readonly nats: NatsConfig;
};

export interface PlacementConfig extends Common {
  readonly role: "placement";
  readonly control: NatsLogin;
  /** Undefined in dev mode without passwords: then deaths show by silence, some 1.2 s later. */
  readonly sys: NatsLogin | undefined;
  readonly placement: FileConfig["placement"];
  readonly controlToken: string | undefined;
}

export interface NodeConfig extends Common {
  readonly role: "node";
  readonly control: NatsLogin;
  readonly data: NatsLogin;
  readonly node: FileConfig["node"];
}

export interface GatewayConfig extends Common {
  readonly role: "gateway";
  readonly control: NatsLogin;
  readonly data: NatsLogin;
  readonly gateway: FileConfig["gateway"];
  /** How people's tokens are verified. */
  readonly people: { readonly jwtSecret: string } | { readonly jwksUrl: string };
  readonly sessionSecret: string;
}

export interface RoleConfigs {
  readonly placement: PlacementConfig;
  readonly node: NodeConfig;
  readonly gateway: GatewayConfig;
}
export type Role = keyof RoleConfigs;
