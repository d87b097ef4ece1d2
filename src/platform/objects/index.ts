export type { LocalStore, LocalStoreDeps } from './local-store.ts';
export { openLocalStore } from './local-store.ts';
export type {
  ListedObject,
  ObjectErrorCode,
  ObjectHead,
  ObjectStore,
  OpenedObject,
  PutOptions,
  SignOptions,
  StoredObject,
} from './object-store.ts';
export { ObjectError } from './object-store.ts';
export type { S3Settings } from './s3-client.ts';
export type { SignedGet } from './signed-path.ts';
export { OBJECTS_PATH } from './signed-path.ts';
