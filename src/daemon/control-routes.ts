/** What can be asked of a running machine over its control socket: method and path, and who answers. */
import { type Machine, screenPng } from '../client/mod.ts';
import { VivariumError } from '../util/mod.ts';
import type { MachineRecord } from './machine-record.ts';

export interface ControlRequest {
  readonly machine: Machine;
  readonly record: MachineRecord;
  /** what the request carried, empty if nothing */
  readonly body: Uint8Array;
  readonly query: URLSearchParams;
}

/** Bytes as they are; anything else as JSON. */
export type ControlAnswer = Uint8Array | object | undefined;

export type ControlRoute = (request: ControlRequest) => Promise<ControlAnswer>;

/** A route throws a `VivariumError` for what its caller can mend; that sentence reaches the caller. */
export const controlRoutes: Readonly<Record<string, ControlRoute>> = {
  /** everything there is to know */
  'GET /': async ({ machine, record }) => ({
    ...record,
    state: machine.state,
    ports: machine.ports,
    stats: await machine.stats(),
  }),
  /** lines of text on the screen, or null */
  'GET /screen': async ({ machine }) => ({ lines: (await machine.screenText()) ?? null }),
  /** the screen as a PNG file */
  'GET /screen.png': async ({ machine }) => {
    const screen = await machine.screen();
    if (screen !== undefined) return screenPng(screen);
    const message = 'the machine has no graphics card, or has not turned its screen on';
    throw new VivariumError('screen-dark', message);
  },
  /** types the text that the request carries; see `Machine.type` */
  'POST /keys': async ({ machine, body }) => {
    await machine.type(new TextDecoder().decode(body));
    return {};
  },
  'POST /power-button': async ({ machine }) => {
    await machine.pressPowerButton();
    return {};
  },
  /** switches off, as by pulling the plug; the answer comes before the machine is off */
  'POST /stop': async ({ machine }) => {
    void machine.stop();
    return {};
  },
  'POST /reset': async ({ machine }) => {
    await machine.reset();
    return {};
  },
  'POST /pause': async ({ machine }) => {
    await machine.pause();
    return {};
  },
  'POST /resume': async ({ machine }) => {
    await machine.resume();
    return {};
  },
};
