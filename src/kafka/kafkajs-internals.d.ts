/** The parts of kafkajs that kafkajs-patches.ts mends. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests: () => void;
  }
  export = RequestQueue;
}

declare module 'kafkajs/src/protocol/requests/metadata' {
  type Metadata = { readonly topicMetadata: readonly { readonly partitionMetadata: readonly object[] }[] };
  type Exchange = { request: object; response: { parse(metadata: Metadata): Promise<object> } };
  const definition: { protocol: (options: object) => (args: { topics: string[] }) => Exchange };
  export = definition;
}

declare module 'kafkajs/src/broker' {
  class Broker {
    apiVersions: () => Promise<Readonly<Record<number, object>>>;
  }
  export = Broker;
}

declare module 'kafkajs/src/cluster' {
  import type { PartitionMetadata } from 'kafkajs';
  type Topic = { topic: string; partitions: { partition: number; offset?: string }[] };
  class Cluster {
    findTopicPartitionMetadata(topic: string): PartitionMetadata[];
    fetchTopicsOffset: (topics: Topic[]) => Promise<Topic[]>;
  }
  export = Cluster;
}

declare module 'kafkajs/src/consumer/offsetManager' {
  class OffsetManager {
    readonly instrumentationEmitter: { emit(event: string, payload: object): void };
    nextOffset(topic: string, partition: number): { toString(): string };
    setDefaultOffset: (place: { topic: string; partition: number }) => Promise<void>;
  }
  export = OffsetManager;
}
