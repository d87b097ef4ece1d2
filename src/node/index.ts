export type { NodeLogger } from './log.ts';
export { startNode, type NodeOptions, type RunningNode } from './start-node.ts';
