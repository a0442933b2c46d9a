// The objects of `peers.objects` for every application of apps.json: one file each.
local apps = import 'apps.json';

local rule(app, kind, expr) = {
  alert: kind,
  expr: expr,
  'for': '10m',
  labels: { severity: 'warning', team: app.team },
  annotations: { summary: kind + ' on ' + app.name, runbook_url: 'https://runbooks.example.com/' + kind },
};

local objects(app) =
  local labels = {
    'app.kubernetes.io/name': app.name,
    'app.kubernetes.io/part-of': app.team,
    'app.kubernetes.io/managed-by': 'bench',
  };
  local chosen = { 'app.kubernetes.io/name': app.name };
  local metadata = { name: app.name, namespace: app.namespace, labels: labels };
  local series = 'namespace="' + app.namespace + '",app="' + app.name + '"';
  [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: metadata,
      spec: {
        replicas: app.min,
        selector: { matchLabels: chosen },
        template: {
          metadata: { labels: labels },
          spec: {
            securityContext: { runAsNonRoot: true, runAsUser: 1000 },
            containers: [{
              name: 'server',
              image: app.image,
              ports: [{ name: 'http', containerPort: 8080 }],
              envFrom: [{ configMapRef: { name: app.name } }],
              resources: { requests: { cpu: app.cpu, memory: app.memory }, limits: { memory: app.memory } },
              readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 10 },
              livenessProbe: { httpGet: { path: '/live', port: 'http' }, periodSeconds: 20 },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            }],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata,
      spec: { selector: chosen, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: metadata,
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: app.name },
        minReplicas: app.min,
        maxReplicas: app.max,
        metrics: [{
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
        }],
      },
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata, data: app.env },
    {
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: metadata,
      spec: { groups: [{ name: app.name + '.rules', rules: [
        rule(app, 'Errors', 'sum(rate(requests_total{' + series + ',code=~"5.."}[5m])) / sum(rate(requests_total{' + series + '}[5m])) > 0.01'),
        rule(app, 'Slow', 'histogram_quantile(0.95, sum by (le) (rate(request_seconds_bucket{' + series + '}[5m]))) > 0.25'),
        rule(app, 'Down', 'kube_deployment_status_replicas_available{' + series + '} < 1'),
        rule(app, 'Stale', 'time() - trained_timestamp_seconds{' + series + '} > 604800'),
        rule(app, 'Drift', 'max by (feature) (drift_share{' + series + '}) > 0.3'),
      ] }] },
    },
  ];

{ [app.name + '.yaml']: std.manifestYamlStream(objects(app)) for app in apps }
