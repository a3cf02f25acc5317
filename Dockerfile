# The release pipeline passes both as tag@sha256:… by --build-arg; a local build takes the tags.
ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS prod-deps
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev

FROM ${RUNTIME_IMAGE} AS runtime
# The base image is already nonroot, and WORKDIR would give it /app: the service must not be able to change its own files.
USER 0:0
WORKDIR /app
COPY --from=prod-deps /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY --from=build /app/dist ./dist
# By number, so that Kubernetes can check runAsNonRoot.
USER 65532:65532

# A roomy young generation (3 × 64 MB), where nearly all that a request allocates dies: each collection copies what all
# requests under way hold, so half as many of them are a fifth more registrations when hundreds are under way.
ENV NODE_ENV=production \
    NODE_OPTIONS="--enable-source-maps --max-semi-space-size=64"
EXPOSE 8000
STOPSIGNAL SIGTERM
# There is no shell: exec form, and node asks itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/nodejs/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8000}/api/health/live`).then((res) => process.exit(res.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node"]
# The migrations are in the same image: dist/migrate.js
# The first: at most 256 MB of old generation, whatever the machine has; under overload the process would take twice the
# memory before V8 collects. The second: up to 128 MB (V8 takes at most half of the first) it is left alone; V8 would
# collect each time it has grown by a third, under load every three seconds, and requests wait for that. NODE_OPTIONS
# refuses the second and cannot change the first.
CMD ["--max-old-space-size=256", "--initial-old-space-size=128", "dist/main.js"]

# Last, because they differ for each commit.
ARG SOURCE=""
ARG REVISION=""
ARG VERSION=""
ARG CREATED=""
ENV REVISION=${REVISION}
LABEL org.opencontainers.image.title="user-registration-backend" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.created="${CREATED}"
