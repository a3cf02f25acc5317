import type { RequestHandler } from 'express';
import { UnavailableError } from '../../domain/errors';
import type { LoadShedder } from '../load-shedder';
import { markAsShed } from './request-log';

// Kubernetes has to learn that the process is busy, not dead.
const PROBES = new Set(['/api/health', '/api/health/live', '/api/health/ready']);

// One for all: each would cost a stack trace.
const OVERLOADED = new UnavailableError('the process is overloaded');

/** Sheds requests that this process cannot finish in time: 503, after two seconds. Probes always pass. */
export function createShedLoad(shedder: Pick<LoadShedder, 'tryAdmit' | 'complete' | 'park'>): RequestHandler {
  return (req, res, next) => {
    const admit = (): void => {
      res.on('close', shedder.complete);
      next();
    };
    const reject = (): void => {
      markAsShed(res);
      next(OVERLOADED);
    };
    if (PROBES.has(req.url)) next();
    else if (shedder.tryAdmit()) admit();
    else res.once('close', shedder.park(admit, reject));
  };
}
