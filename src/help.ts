// No types and no imports: deploy/setup.mjs runs this as it is, before anything is installed.
export const HELP = `roomcluster: the server side of live 3D events and worlds

  roomcluster cluster     a whole cluster on this machine, with the demo (npm start)
    --nodes N             processes that host rooms             (default 3)
    --gateways N          processes that hold client sockets    (default 2)
    --bots N              simulated visitors of the plaza       (default 30); with any, a band
                          and as many more, 20 at most, are at the concert
    --port P              of the control API and the page, which only a clone has; gateways
                          have the next ones (default 7070; 0: any free ones)
    --world FILE          a module of worlds beside the demo's; may be repeated. From the sources
                          (npm start) also a .ts
    --origin URL          a web page's origin that may connect, as the demo page may; may be repeated
    --quiet               only warnings, the addresses and the ready line

  roomcluster placement   decides where rooms live; has the operator API
  roomcluster node        hosts rooms
  roomcluster gateway     holds client sockets
    --config FILE         JSON, see deploy/config.sample.json
    --set PATH=VALUE      one knob of it, e.g. --set gateway.listen.port=8080; may be repeated

  roomcluster restart     nodes, gateways and placements, one at a time, each emptied first
    --control URL         of a placement's operator API; may be repeated, and those that it
                          names are asked too              (default http://127.0.0.1:7070)
    --role R              node, gateway or placement; may be repeated      (default all)
    --drain S             so long may one take to empty   (default: nodes 60, gateways as
                          they are configured)
    --wait S              for one that has ended to be back: a supervisor has to start it
                          again, also after exit code 0                    (default 60)
    --steady S            so long it has to stay before the next one       (default 5)
    --rooms-left W        stop or go-on, where a node ended with rooms that it had not
                          handed over                                      (default stop)
    --token T             instead of ROOMCLUSTER_CONTROL_TOKEN
    --json                a report on standard output
                          Exit code 3: nothing was done; 4: not all; 5: one is not back or
                          did not stay; 6: rooms were left

  roomcluster load        a crowd of real clients that check what they are sent: a rehearsal
    --clients N           (default 200), and much more: roomcluster load --help

  roomcluster plan        what an event of so many people needs, and what that costs an hour
    --users N             and what they do, prices, limits: roomcluster plan --help

  roomcluster bots        visitors that move, decode and check; exit code 1 where none comes in
    --gateway URL         may be repeated
    --room NAME           (default plaza)
    --bots N              (default 20)
    --event NAME          a concert as well: three who perform
    --audience N          and so many before them               (default 20)

  --version, --help

Keys come from the environment: NATS_URL, ROOMCLUSTER_NATS_<USER>_PASSWORD, ROOMCLUSTER_JWT_SECRET
or ROOMCLUSTER_JWKS_URL (who people are), ROOMCLUSTER_SESSION_SECRET (sessions that are resumed),
ROOMCLUSTER_CONTROL_TOKEN (the operator API below /v1/, as "Authorization: Bearer <token>"; in dev
mode without one it is open to this machine); and the process's name: ROOMCLUSTER_ROLE_ID.
ROOMCLUSTER_DEV=1 does without all of them.

For the cluster command: NATS_URL is a NATS that runs already, NATS_SERVER_BIN the nats-server to
start otherwise. With ROOMCLUSTER_BUS=memory all is in one process, without NATS.
`;
