import { getHeapStatistics } from 'node:v8';
import { PART_LIMITS } from './part-sender';

const MAX_RECORDS = 10_000;
const MIN_RECORDS = 100;
// The young generation, and what a process holds without a record waiting.
const IDLE_HEAP_BYTES = 96 * 1024 * 1024;
// The request of a record that waits holds 18 kB; a heap without as much again is collected all the time.
const HEAP_BYTES_PER_RECORD = 36 * 1024;

export interface SendQueueLimits extends Readonly<typeof PART_LIMITS> {
  readonly maxRecords: number;
  readonly maxBytes: number;
}

/** What may wait in a heap that grows to so many bytes. */
export function sendQueueLimits(heapBytes = getHeapStatistics().heap_size_limit): SendQueueLimits {
  const room = Math.floor((heapBytes - IDLE_HEAP_BYTES) / HEAP_BYTES_PER_RECORD);
  const maxRecords = Math.min(Math.max(room, MIN_RECORDS), MAX_RECORDS);
  return { maxRecords, maxBytes: 16 * 1024 * 1024, ...PART_LIMITS };
}
