import type { Persistent } from '../state/mod.ts';

/** Restores the sections of a device's parts: all of them, or, when one is refused, none. */
export function restoreTogether(parts: readonly (readonly [Persistent, unknown])[]): void {
  const before = parts.map(([part]) => part.persist.save());
  for (const [index, [part, state]] of parts.entries()) {
    try {
      part.persist.restore(state);
    } catch (error) {
      for (let undo = 0; undo < index; undo++) parts[undo]?.[0].persist.restore(before[undo]);
      throw error;
    }
  }
}
