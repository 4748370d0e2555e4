export { BackgroundProcess, readMessages, startInBackground } from './background.ts';
export { ConsoleLog, readConsoleLog } from './console-log.ts';
export { askMachine, askMachineJson, upgradeMachine } from './control-client.ts';
export { type ControlRequest, type ControlRoute, controlRoutes } from './control-routes.ts';
export { ControlServer } from './control-server.ts';
export type { MachineCondition, MachineEntry, MachineRecord } from './machine-record.ts';
export { Claim, defaultRegistryDirectory, type MachineFacts, Registry } from './registry.ts';
export { type SessionKey, sessionKey } from './session-key.ts';
