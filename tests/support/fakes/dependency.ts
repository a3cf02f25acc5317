import { UnavailableError } from '../../../src/domain/errors';

/** A fake that can be unavailable, as its real dependency can. */
export class Dependency {
  isUnavailable = false;

  protected reach(): void {
    if (this.isUnavailable) throw new UnavailableError('unavailable');
  }
}
