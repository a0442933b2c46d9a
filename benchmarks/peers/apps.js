// cdk8s without its bridge to other languages: node apps.js OBJECTS.json OUT, a chart for each application.
const fs = require('fs');
const { App, Chart, ApiObject } = require('cdk8s');

const app = new App({ outdir: process.argv[3] });
for (const [name, objects] of Object.entries(JSON.parse(fs.readFileSync(process.argv[2])))) {
  const chart = new Chart(app, name);
  for (const object of objects) new ApiObject(chart, object.kind.toLowerCase(), object);
}
app.synth();
