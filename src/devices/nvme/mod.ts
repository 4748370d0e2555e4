export {
  NvmeController,
  type NvmeControllerOptions,
  type NvmeControllerState,
} from './controller.ts';
