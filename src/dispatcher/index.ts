export type { BlobStore } from './blobs.ts';
export type { Dispatcher, DispatcherDeps } from './dispatcher.ts';
export { startDispatcher } from './dispatcher.ts';
export type { NodeConnection, NodeConnector, NodeReport } from './node-connector.ts';
export type { EncodedPicture, Pictures, Rgb } from './pictures.ts';
export type { DispatcherSettings } from './settings.ts';
export { DEFAULT_DISPATCHER_SETTINGS } from './settings.ts';
