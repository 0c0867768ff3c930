import { concert } from "../../actors/worlds/concert.ts";
import { plaza } from "../../actors/worlds/plaza.ts";

/** As a module of its own, so that nodes can be given it beside other worlds. */
export default [plaza, ...concert];
