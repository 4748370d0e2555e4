/** The registers of a VGA as they are saved and restored. */
import { boolean, bytes, type Checked, integer, list, record, u8, u32 } from '../../state/mod.ts';
import { VBE_REGISTER_COUNT } from './vbe.ts';

const u16 = integer(0, 0xffff);

export const checkVgaState = record({
  miscellaneous: u8,
  featureControl: u8,
  sequencerIndex: u8,
  sequencer: bytes(8),
  graphicsIndex: u8,
  graphics: bytes(16),
  attributeIndex: u8,
  attributeIsData: boolean,
  attribute: bytes(32),
  crtcIndex: u8,
  crtc: bytes(32),
  dacMask: u8,
  dacRead: integer(0, 767),
  dacWrite: integer(0, 767),
  dacIsReading: boolean,
  dac: bytes(768),
  latches: u32,
  vbeIndex: u16,
  vbe: list(u16, VBE_REGISTER_COUNT),
});
export type VgaState = Checked<typeof checkVgaState>;

export function powerOnState(): VgaState {
  return {
    miscellaneous: 0x01,
    featureControl: 0,
    sequencerIndex: 0,
    sequencer: new Uint8Array(8),
    graphicsIndex: 0,
    graphics: new Uint8Array(16),
    attributeIndex: 0,
    attributeIsData: false,
    attribute: new Uint8Array(32),
    crtcIndex: 0,
    crtc: new Uint8Array(32),
    dacMask: 0xff,
    dacRead: 0,
    dacWrite: 0,
    dacIsReading: false,
    dac: new Uint8Array(768),
    latches: 0,
    vbeIndex: 0,
    vbe: new Array<number>(VBE_REGISTER_COUNT).fill(0),
  };
}
