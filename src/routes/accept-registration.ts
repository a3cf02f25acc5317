import type { Request, Response } from 'express';
import { ValidationError } from '../domain/errors';
import { parseRegistration, type Registration } from '../domain/registration';
import type { IdempotentRegistrationService } from '../services/idempotent-registration-service';
import type { RegistrationService } from '../services/registration-service';
import { ERRORS } from '../http/errors';
import { idempotencyKeyOf } from '../http/middleware/idempotency-key';
import { bodyBytesOf, isMalformed } from '../http/middleware/json-body';
import { requestIdOf } from '../http/middleware/request-id';

export interface AcceptRegistrationDeps {
  readonly registrations: Pick<RegistrationService, 'register'>;
  readonly idempotentRegistrations: Pick<IdempotentRegistrationService, 'register'>;
}

/** Resolves when what the request submits is accepted; with an `Idempotency-Key`, at most once for all that carry it. */
export function createAcceptRegistration({ registrations, idempotentRegistrations }: AcceptRegistrationDeps) {
  return async (req: Request, res: Response): Promise<Registration> => {
    const key = idempotencyKeyOf(req);
    const requestId = requestIdOf(res);
    if (key === undefined) {
      const registration = parseRegistration(req.body);
      await registrations.register(registration, requestId);
      return registration;
    }
    const submission = { key, body: bodyBytesOf(req), parse: () => parseBody(req), requestId };
    return idempotentRegistrations.register(submission, () => res.setHeader('Idempotency-Replayed', 'true'));
  };
}

// Malformed JSON is an outcome like a broken rule: kept with the key.
function parseBody(req: Request): Registration {
  if (isMalformed(req)) throw new ValidationError(ERRORS.malformedBody.message);
  return parseRegistration(req.body);
}
