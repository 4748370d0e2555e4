export {
  announcePages,
  createPagingContext,
  type PagingContext,
  updatePagingContext,
} from './context.ts';
export { ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE, type PageAccess } from './entry.ts';
export { createWalkResult, type PageTableMemory, type WalkResult, walk } from './walk.ts';
