import { UserNotFoundError } from '../domain/errors';
import type { User } from '../domain/user';
import type { CompletedUsers, PageRequest, Users, UsersPage } from './ports';
import { unlessAway } from './if-available';

export interface UserQueryServiceDeps {
  readonly completed: CompletedUsers;
  readonly users: Pick<Users, 'findByEmail' | 'list'>;
}

/** Reads stored users; by e-mail from the cache first. Throws UnavailableError when PostgreSQL is needed and away. */
export class UserQueryService {
  constructor(private readonly deps: UserQueryServiceDeps) {}

  list(page: PageRequest): Promise<UsersPage> {
    return this.deps.users.list(page);
  }

  /** Throws UserNotFoundError when there is no row (also while the registration is pending). */
  async findByEmail(email: string): Promise<User> {
    const cached = await unlessAway(this.deps.completed.find(email));
    if (cached !== undefined) return cached;

    const user = await this.deps.users.findByEmail(email);
    if (user === undefined) throw new UserNotFoundError('no row has this e-mail');
    void unlessAway(this.deps.completed.put([user])); // Not awaited: the answer does not depend on it.
    return user;
  }
}
