// SPDX-License-Identifier: MIT
//
// node validate.mjs < documents.json: one line for each document that its schema refuses. Must lie beside the
// node_modules that the schemas are in.
import { readFileSync } from "node:fs";
import * as apps from "kubernetes-models/apps/v1";
import * as core from "kubernetes-models/v1";
import * as monitoring from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import * as policy from "kubernetes-models/policy/v1";

const rooms = { v1: core, "apps/v1": apps, "policy/v1": policy, "monitoring.coreos.com/v1": monitoring };

for (const document of JSON.parse(readFileSync(0, "utf8"))) {
  const Model = rooms[document.apiVersion]?.[document.kind];
  if (!Model) {
    console.log(`${document.apiVersion} ${document.kind}: there is no schema of that`);
    continue;
  }
  try {
    new Model(document).validate();
  } catch (error) {
    console.log(`${document.kind}: ${error.message}`);
  }
}
