import type { NatsUser } from "./role-config.ts";

/** A key that a role takes from its environment. */
export interface Key {
  readonly variable: string;
  /** Completes "… is missing: it is …". */
  readonly purpose: string;
  readonly lengthMin: number;
}

/** HS256 wants as many bytes as its hash has; less can be guessed from one token. */
const SIGNING_LENGTH_MIN = 32;

export const JWT_SECRET: Key = {
  variable: "ROOMCLUSTER_JWT_SECRET",
  purpose: "the secret that your identity provider signs people's tokens with (HS256)",
  lengthMin: SIGNING_LENGTH_MIN,
};
export const JWKS_URL = "ROOMCLUSTER_JWKS_URL";
export const SESSION_SECRET: Key = {
  variable: "ROOMCLUSTER_SESSION_SECRET",
  purpose: "what gateways sign session tokens with; the same for every gateway of the cluster",
  lengthMin: SIGNING_LENGTH_MIN,
};
export const CONTROL_TOKEN: Key = {
  variable: "ROOMCLUSTER_CONTROL_TOKEN",
  purpose: "what operators send to the operator API as a bearer token",
  lengthMin: 16,
};

export const natsPassword = (user: NatsUser): Key => ({
  variable: `ROOMCLUSTER_NATS_${user.toUpperCase().replaceAll("-", "_")}_PASSWORD`,
  purpose: `the password of the NATS user ${user} (deploy/nats/accounts.conf)`,
  lengthMin: 8,
});

/** Known to everybody, so they protect nothing: a cluster with them says so when it starts. */
export const DEV_KEYS = {
  jwtSecret: "roomcluster-development-jwt-secret-known-to-everybody",
  sessionSecret: "roomcluster-development-session-secret-known-to-everybody",
  natsUrl: "nats://127.0.0.1:4222",
} as const;
