export { describeNode, type NodeDescription, type NodeModel } from './describe-node.ts';
export { createEngines } from './create-engines.ts';
export { openInputRegions } from './input-regions.ts';
export { loadModel, unloadModel } from './reload-model.ts';
