/** The small shop that the demo deploys: three Deployments, one Secret that two of them use, and its own policy. */
export const shop = { namespace: 'shop', secret: 'cart-db', suspect: 'cart', consumers: ['cart', 'orders'] } as const;

const replicas = { web: 2, cart: 4, orders: 2 } as const;

export const shopPods = Object.values(replicas).reduce((sum, count) => sum + count, 0);

export interface Manifest {
  /** API path at which objects of this kind are created. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
}

const secretEnv = [{ name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: shop.secret, key: 'password' } } }];
const secretVolume = {
  volumes: [{ name: 'db', secret: { secretName: shop.secret } }],
  volumeMounts: [{ name: 'db', mountPath: '/etc/cart-db', readOnly: true }],
};

/** `image` is what every container runs if the nodes run containers; on simulated nodes each has an image name of its own. */
export function shopManifests({ image, password }: { readonly image?: string; readonly password: string }): readonly Manifest[] {
  const core = `/api/v1/namespaces/${shop.namespace}`;
  const deployment = (
    app: keyof typeof replicas,
    pod: { env?: unknown; volumes?: unknown; volumeMounts?: unknown },
  ): Manifest => ({
    path: `/apis/apps/v1/namespaces/${shop.namespace}/deployments`,
    body: {
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      metadata: { name: app, labels: { app } },
      spec: {
        replicas: replicas[app],
        selector: { matchLabels: { app } },
        template: {
          metadata: {
            labels: { app, tier: app === 'web' ? 'front' : 'back' },
            annotations: { 'shop.example/owner': 'team-checkout' },
          },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: app,
                image: image ?? `registry.example/shop/${app}:1.4.2`,
                ports: [{ containerPort: 8080 }],
                ...(pod.env !== undefined && { env: pod.env }),
                ...(pod.volumeMounts !== undefined && { volumeMounts: pod.volumeMounts }),
              },
            ],
            ...(pod.volumes !== undefined && { volumes: pod.volumes }),
          },
        },
      },
    },
  });
  const service = (app: keyof typeof replicas): Manifest => ({
    path: `${core}/services`,
    body: {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { name: app },
      spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  });
  return [
    {
      path: `${core}/secrets`,
      body: {
        kind: 'Secret',
        apiVersion: 'v1',
        metadata: { name: shop.secret },
        type: 'Opaque',
        stringData: { username: 'cart', password },
      },
    },
    {
      path: `/apis/networking.k8s.io/v1/namespaces/${shop.namespace}/networkpolicies`,
      body: {
        kind: 'NetworkPolicy',
        apiVersion: 'networking.k8s.io/v1',
        metadata: { name: 'web-to-cart' },
        spec: {
          podSelector: { matchLabels: { app: 'cart' } },
          policyTypes: ['Ingress'],
          ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080 }] }],
        },
      },
    },
    deployment('web', {}),
    deployment('cart', { env: secretEnv, ...secretVolume }),
    deployment('orders', { env: secretEnv }),
    service('web'),
    service('cart'),
    service('orders'),
  ];
}
