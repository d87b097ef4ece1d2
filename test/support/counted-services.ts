import type { Services } from '../../src/graphql/index.ts';

export interface CountedServices {
  readonly services: Services;
  /** How often a resolver has asked a service for something, whatever it was. */
  readonly asked: () => number;
}

/** Counts what resolvers do. Finding out who is calling comes before any and is not counted. */
export function countServices(services: Services): CountedServices {
  let asked = 0;
  const counted = <T extends object>(service: T): T =>
    new Proxy(service, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          asked += 1;
          return Reflect.apply(value, target, args);
        };
      },
    });
  return {
    services: {
      ...services,
      tenants: counted(services.tenants),
      metering: counted(services.metering),
      catalog: counted(services.catalog),
      generation: counted(services.generation),
      events: counted(services.events),
    },
    asked: () => asked,
  };
}
