export { createKserveConnector } from './kserve-connector.ts';
