// First: kafkajs takes the record encoder when it is loaded.
import './kafkajs-patches';

/** kafkajs with its patches: import it from here for more than its types. */
export * from 'kafkajs';
