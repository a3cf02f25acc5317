// Generated from the OpenAPI document by `npm run client:types`. Copy it into the front end.

export interface paths {
    "/api/users": {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        /** All users, newest first */
        get: operations["listUsers"];
        put?: never;
        /**
         * Submit a new user registration
         * @description 201 means: stored, exactly once, first write wins; the row may come a moment later. Sending the same again while it is pending is safe: 201.
         */
        post: operations["registerUser"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{email}": {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /**
                 * @description An email in any spelling that POST accepts, percent-encoded
                 * @example john.doe@example.com
                 */
                email: string;
            };
            cookie?: never;
        };
        /** One user */
        get: operations["getUser"];
        put?: never;
        post?: never;
        /**
         * Erase a user, for good
         * @description Removes the row and whatever else is held, so that nothing that is read again brings the user back; the email may be registered anew at once. Also for an email that is not registered, of which something may be on its way. Safe to repeat. Only when the service has `ADMIN_API_KEYS`, and with one of these keys.
         */
        delete: operations["eraseUser"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{email}/status": {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /**
                 * @description An email in any spelling that POST accepts, percent-encoded
                 * @example john.doe@example.com
                 */
                email: string;
            };
            cookie?: never;
        };
        /**
         * How far the registration of an email is
         * @description About the email, not about one submission. Open to everyone: a sign-up form polls it.
         */
        get: operations["getRegistrationStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Service and dependency health
         * @description From a background check, once a second.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Liveness probe */
        get: operations["isAlive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Readiness probe */
        get: operations["isReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description Strings are trimmed and brought to NFC first. Lengths count code points. Control characters, bidirectional overrides, lone surrogates and text without a visible character are rejected. Unknown fields are dropped.
         * @example {
         *       "firstName": "John",
         *       "lastName": "Doe",
         *       "email": "john.doe@example.com",
         *       "gender": "male",
         *       "sex": "male",
         *       "occupation": "Software Engineer"
         *     }
         */
        Registration: {
            /** @description 2-100 characters after trimming and in NFC, none of them a control character */
            firstName: string;
            /** @description 2-100 characters after trimming and in NFC, none of them a control character */
            lastName: string;
            /** @description An email of at most 254 characters, in any script and any TLD. It is normalised (NFC), lower-cased, and its domain turned into ASCII as IDNA says; this form is the one stored and returned. */
            email: string;
            /** @enum {string} */
            gender: "male" | "female" | "non-binary" | "prefer-not-to-say";
            /** @enum {string} */
            sex: "male" | "female" | "intersex";
            /** @description 2-255 characters after trimming and in NFC, none of them a control character */
            occupation: string;
        };
        /**
         * @example {
         *       "success": true,
         *       "message": "User registration submitted successfully",
         *       "data": {
         *         "email": "john.doe@example.com"
         *       }
         *     }
         */
        Accepted: {
            /** @constant */
            success: true;
            /** @constant */
            message: "User registration submitted successfully";
            data: {
                /** Format: idn-email */
                email: string;
            };
        };
        /**
         * @example {
         *       "id": 1,
         *       "first_name": "John",
         *       "last_name": "Doe",
         *       "email": "john.doe@example.com",
         *       "gender": "male",
         *       "sex": "male",
         *       "occupation": "Software Engineer",
         *       "created_at": "2026-11-23T21:23:29.482Z",
         *       "updated_at": "2026-11-23T21:23:29.482Z"
         *     }
         */
        User: {
            id: number;
            first_name: string;
            last_name: string;
            /** Format: idn-email */
            email: string;
            /** @enum {string} */
            gender: "male" | "female" | "non-binary" | "prefer-not-to-say";
            /** @enum {string} */
            sex: "male" | "female" | "intersex";
            occupation: string;
            /** @description ISO 8601 in UTC; of rows made by hand also `infinity`, and years with a sign and six digits */
            created_at: string;
            /** @description ISO 8601 in UTC; of rows made by hand also `infinity`, and years with a sign and six digits */
            updated_at: string;
        };
        UserAnswer: {
            /** @constant */
            success: true;
            data: components["schemas"]["User"];
        };
        UsersAnswer: {
            /** @constant */
            success: true;
            /** @description Users in `data` */
            count: number;
            data: components["schemas"]["User"][];
        };
        StatusAnswer: {
            /** @constant */
            success: true;
            data: {
                /** Format: idn-email */
                email: string;
                /** @enum {string} */
                status: "pending" | "completed" | "failed";
                /**
                 * @description Why it failed; only then
                 * @enum {string}
                 */
                reason?: "invalid" | "unstorable";
            };
        };
        ErasedAnswer: {
            /** @constant */
            success: true;
            /** @constant */
            message: "User erased";
            data: {
                /** Format: idn-email */
                email: string;
                /** @description ISO 8601 in UTC */
                erasedAt: string;
                /** @description Whether the user was stored */
                row: boolean;
                /** @description False when the cache is unavailable; it follows within a minute */
                finished: boolean;
            };
        };
        Problem: {
            /** @constant */
            type: "about:blank";
            /** @example Bad Request */
            title: string;
            /** @example 400 */
            status: number;
            /** @description For people: the `error` of the other form */
            detail: string;
            /** @enum {string} */
            code: "validation_failed" | "malformed_body" | "malformed_request" | "api_key_required" | "forbidden" | "user_not_found" | "not_found" | "method_not_allowed" | "request_timeout" | "already_registered" | "recently_registered" | "registration_in_progress" | "request_in_progress" | "body_too_large" | "unsupported_media_type" | "idempotency_key_reused" | "rate_limited" | "headers_too_large" | "internal" | "unavailable";
            /** @description With `validation_failed`: each field, parameter or header that breaks a rule */
            errors?: {
                field: string;
                message: string;
            }[];
        };
        Health: {
            /** @description Seconds since the process started */
            uptime: number;
            /** @enum {string} */
            message: "OK" | "Degraded";
            /** @description Milliseconds since 1970 */
            timestamp: number;
            services: {
                redis: components["schemas"]["Condition"];
                postgres: components["schemas"]["Condition"];
                kafka: components["schemas"]["Condition"];
            };
        };
        /** @enum {string} */
        Condition: "healthy" | "unhealthy";
    };
    responses: {
        /** @description a field or parameter breaks a rule; the first one is named, `errors` has all; or the body is not JSON in UTF-8; or the body is shorter than announced, or cannot be decompressed; or the request cannot be parsed, or two servers could read it differently */
        InvalidRegistration: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    error: string;
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    detail?: string;
                    /** @enum {string} */
                    code: "validation_failed" | "malformed_body" | "malformed_request";
                };
            };
        };
        /** @description a field or parameter breaks a rule; the first one is named, `errors` has all; or the request cannot be parsed, or two servers could read it differently */
        InvalidPage: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    error: string;
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    detail?: string;
                    /** @enum {string} */
                    code: "validation_failed" | "malformed_request";
                };
            };
        };
        /** @description a field or parameter breaks a rule; the first one is named, `errors` has all; or the path has a % that encodes no character; or the request cannot be parsed, or two servers could read it differently */
        InvalidEmail: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    error: string;
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    detail?: string;
                    /** @enum {string} */
                    code: "validation_failed" | "malformed_request";
                };
            };
        };
        /** @description the request cannot be parsed, or two servers could read it differently */
        MalformedRequest: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Request is not valid HTTP";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Request is not valid HTTP";
                    /** @enum {string} */
                    code: "malformed_request";
                };
            };
        };
        /** @description reading or erasing needs an API key, and the request has none or a wrong one */
        Unauthorized: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "WWW-Authenticate": components["headers"]["WWW-Authenticate"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "A valid API key is required";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "A valid API key is required";
                    /** @enum {string} */
                    code: "api_key_required";
                };
            };
        };
        /** @description erasing needs a key of `ADMIN_API_KEYS` */
        Forbidden: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "This API key may not erase";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "This API key may not erase";
                    /** @enum {string} */
                    code: "forbidden";
                };
            };
        };
        /** @description no user has this email; GET by email says so while the registration is pending, too */
        UserNotFound: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "User not found";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "User not found";
                    /** @enum {string} */
                    code: "user_not_found";
                };
            };
        };
        /** @description the path does not exist */
        NotFound: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Not found";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Not found";
                    /** @enum {string} */
                    code: "not_found";
                };
            };
        };
        /** @description the path has other methods, listed in `Allow` */
        MethodNotAllowed: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                Allow: components["headers"]["Allow"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Method not allowed";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Method not allowed";
                    /** @enum {string} */
                    code: "method_not_allowed";
                };
            };
        };
        /** @description the request did not arrive within 30 s */
        RequestTimeout: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Request took too long";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Request took too long";
                    /** @enum {string} */
                    code: "request_timeout";
                };
            };
        };
        /** @description the email is registered; or a different registration of the email is pending; or the first request with this Idempotency-Key has no response yet */
        Conflict: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After-If-Pending"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "User already registered" | "Registration already in progress" | "A request with this Idempotency-Key is in progress";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "User already registered" | "Registration already in progress" | "A request with this Idempotency-Key is in progress";
                    /** @enum {string} */
                    code: "already_registered" | "registration_in_progress" | "request_in_progress";
                };
            };
        };
        /** @description the row is younger than 10 s, so that the erasure has to wait */
        RecentlyRegistered: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "User registered a moment ago, please retry";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "User registered a moment ago, please retry";
                    /** @enum {string} */
                    code: "recently_registered";
                };
            };
        };
        /** @description the body is larger than 16 kB */
        BodyTooLarge: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Request body is too large (limit 16 kB)";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Request body is too large (limit 16 kB)";
                    /** @enum {string} */
                    code: "body_too_large";
                };
            };
        };
        /** @description the body has another content type; or the body has an unknown encoding or charset */
        UnsupportedMediaType: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Content-Type must be application/json" | "Unsupported content encoding or charset";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Content-Type must be application/json" | "Unsupported content encoding or charset";
                    /** @enum {string} */
                    code: "unsupported_media_type";
                };
            };
        };
        /** @description the Idempotency-Key came with another registration before */
        IdempotencyKeyReused: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Idempotency-Key was used with another registration";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Idempotency-Key was used with another registration";
                    /** @enum {string} */
                    code: "idempotency_key_reused";
                };
            };
        };
        /** @description the address has used up its requests (100 in 15 minutes) */
        TooManyRequests: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Too many requests, please try again later";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Too many requests, please try again later";
                    /** @enum {string} */
                    code: "rate_limited";
                };
            };
        };
        /** @description the headers are larger than 16 kB, or more than 100 */
        HeadersTooLarge: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Request headers are too large";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Request headers are too large";
                    /** @enum {string} */
                    code: "headers_too_large";
                };
            };
        };
        /** @description unexpected error; quote X-Request-Id when reporting it */
        InternalError: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Internal server error";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Internal server error";
                    /** @enum {string} */
                    code: "internal";
                };
            };
        };
        /** @description a dependency is unavailable, or the service is overloaded: send the same again after `Retry-After` seconds */
        Unavailable: {
            headers: {
                "X-Request-Id": components["headers"]["X-Request-Id"];
                RateLimit: components["headers"]["RateLimit"];
                "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                "Retry-After": components["headers"]["Retry-After"];
                [name: string]: unknown;
            };
            content: {
                "application/json": {
                    /** @constant */
                    success: false;
                    /** @enum {string} */
                    error: "Service temporarily unavailable, please retry";
                };
                "application/problem+json": components["schemas"]["Problem"] & {
                    /** @enum {string} */
                    detail?: "Service temporarily unavailable, please retry";
                    /** @enum {string} */
                    code: "unavailable";
                };
            };
        };
    };
    parameters: {
        /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
        RequestId: string;
    };
    requestBodies: never;
    headers: {
        /**
         * @description The X-Request-Id of the request when it was valid, else a new one. The log has it, too.
         * @example 6f0a2c9e-6f5b-4b1e-9f0e-0c8f6f1f7a55
         */
        "X-Request-Id": string;
        /**
         * @description How many requests the address has, how many are left, and seconds until the window ends.
         * @example limit=100, remaining=99, reset=900
         */
        RateLimit: string;
        /**
         * @description Requests; w is the window in seconds.
         * @example 100;w=900
         */
        "RateLimit-Policy": string;
        /**
         * @description Seconds after which to try again.
         * @example 2
         */
        "Retry-After": string;
        /**
         * @description Seconds after which to try again; absent when the email is registered.
         * @example 1
         */
        "Retry-After-If-Pending": string;
        /**
         * @description The address of the user.
         * @example /api/users/john.doe%40example.com
         */
        Location: string;
        /**
         * @description The next page, while there is one.
         * @example </api/users?limit=100&cursor=MTc5NTQ2OTAwOTUzMDAwMCw0Mg>; rel="next"
         */
        Link: string;
        /**
         * @description With total=exact: how many users the window holds, on all pages.
         * @example 1250
         */
        "X-Total-Count": string;
        /**
         * @description The methods of the path.
         * @example GET, HEAD, POST, OPTIONS
         */
        Allow: string;
        /**
         * @description How to authenticate.
         * @example Bearer realm="users"
         */
        "WWW-Authenticate": string;
        /**
         * @description The day after which Kafka holds nothing of the user any more, either; absent when its topics keep records for ever.
         * @example 2026-12-31
         */
        "Kafka-Copies-End": string;
        /**
         * @description An earlier request with the same Idempotency-Key was accepted; this one changed nothing.
         * @example true
         */
        "Idempotency-Replayed": string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listUsers: {
        parameters: {
            query?: {
                /** @description Users in one response at most */
                limit?: number;
                /** @description Users to skip, from the newest or from the cursor. Inserts in the meantime shift such pages. */
                offset?: number;
                /** @description Where the page begins, from the `Link` header of the previous page; opaque: do not parse or construct it. Going from `Link` to `Link` neither skips nor repeats a user, whatever is inserted in the meantime. */
                cursor?: string;
                /** @description Only users created at this time or later: ISO 8601 with a zone, to the microsecond, years 1 to 9999. `Link` carries it on. */
                created_from?: string;
                /** @description Only users created before this time, written alike */
                created_before?: string;
                /** @description Adds `X-Total-Count`. `Link` does not carry it on. A count that takes longer than 3 s is 503. */
                total?: "exact";
            };
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The users */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    Link: components["headers"]["Link"];
                    "X-Total-Count": components["headers"]["X-Total-Count"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsersAnswer"];
                };
            };
            400: components["responses"]["InvalidPage"];
            401: components["responses"]["Unauthorized"];
            408: components["responses"]["RequestTimeout"];
            429: components["responses"]["TooManyRequests"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            503: components["responses"]["Unavailable"];
        };
    };
    registerUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
                /** @description 1-255 visible ASCII characters, new for each registration. A 201 is kept for 24 h and replayed to the same key and registration with `Idempotency-Replayed: true`; anything else is decided again each time. The same key with another registration is 422. A request that breaks a rule leaves the key free. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** @description At most 16 kB */
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "firstName": "John",
                 *       "lastName": "Doe",
                 *       "email": "john.doe@example.com",
                 *       "gender": "male",
                 *       "sex": "male",
                 *       "occupation": "Software Engineer"
                 *     }
                 */
                "application/json": components["schemas"]["Registration"];
            };
        };
        responses: {
            /** @description The registration is accepted */
            201: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    Location: components["headers"]["Location"];
                    "Idempotency-Replayed": components["headers"]["Idempotency-Replayed"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Accepted"];
                };
            };
            400: components["responses"]["InvalidRegistration"];
            408: components["responses"]["RequestTimeout"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["IdempotencyKeyReused"];
            429: components["responses"]["TooManyRequests"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            503: components["responses"]["Unavailable"];
        };
    };
    getUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /**
                 * @description An email in any spelling that POST accepts, percent-encoded
                 * @example john.doe@example.com
                 */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserAnswer"];
                };
            };
            400: components["responses"]["InvalidEmail"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["UserNotFound"];
            408: components["responses"]["RequestTimeout"];
            429: components["responses"]["TooManyRequests"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            503: components["responses"]["Unavailable"];
        };
    };
    eraseUser: {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /**
                 * @description An email in any spelling that POST accepts, percent-encoded
                 * @example john.doe@example.com
                 */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The user is erased */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    "Kafka-Copies-End": components["headers"]["Kafka-Copies-End"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasedAnswer"];
                };
            };
            400: components["responses"]["InvalidEmail"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            405: components["responses"]["MethodNotAllowed"];
            408: components["responses"]["RequestTimeout"];
            409: components["responses"]["RecentlyRegistered"];
            429: components["responses"]["TooManyRequests"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRegistrationStatus: {
        parameters: {
            query?: never;
            header?: {
                /** @description An id for the request in the log: 1-128 letters, digits or `_ . : -`; any other is replaced */
                "X-Request-Id"?: components["parameters"]["RequestId"];
            };
            path: {
                /**
                 * @description An email in any spelling that POST accepts, percent-encoded
                 * @example john.doe@example.com
                 */
                email: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description pending: not stored yet; completed: stored; failed: it could not be stored */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    RateLimit: components["headers"]["RateLimit"];
                    "RateLimit-Policy": components["headers"]["RateLimit-Policy"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusAnswer"];
                };
            };
            400: components["responses"]["InvalidEmail"];
            404: components["responses"]["UserNotFound"];
            408: components["responses"]["RequestTimeout"];
            429: components["responses"]["TooManyRequests"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            503: components["responses"]["Unavailable"];
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All are healthy */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            400: components["responses"]["MalformedRequest"];
            408: components["responses"]["RequestTimeout"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            /** @description Some are not */
            503: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    isAlive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description alive */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "alive";
                    };
                };
            };
            400: components["responses"]["MalformedRequest"];
            408: components["responses"]["RequestTimeout"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            /** @description not alive */
            503: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "not alive";
                    };
                };
            };
        };
    };
    isReady: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description ready */
            200: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "ready";
                    };
                };
            };
            400: components["responses"]["MalformedRequest"];
            408: components["responses"]["RequestTimeout"];
            431: components["responses"]["HeadersTooLarge"];
            500: components["responses"]["InternalError"];
            /** @description not ready */
            503: {
                headers: {
                    "X-Request-Id": components["headers"]["X-Request-Id"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status: "not ready";
                    };
                };
            };
        };
    };
}
