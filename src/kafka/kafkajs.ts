// First: kafkajs takes the encoder when it is loaded.
import './kafkajs-record-encoder';

/** kafkajs as this service uses it: whoever needs more of it than types imports it from here. */
export * from 'kafkajs';
