/** The part of kafkajs 2.2.4 that kafkajs-idle-timer.ts mends; kafkajs is pinned to this version. */
declare module 'kafkajs/src/network/requestQueue' {
  class RequestQueue {
    readonly pending: readonly unknown[];
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}
