//! What is packaged holds: files are read by the tools they are for, and what they name exists.

mod common;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use common::Setup;
use common::process::tool;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A Python with the parsers of Docker and the schemas of Kubernetes, made once and kept beside the build.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    const PACKAGES: [&str; 3] = ["dockerfile==3.4.0", "kubernetes-validate==1.37.0", "PyYAML"];
    PYTHON.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packaging-python");
        let (python, made) = (place.join("bin/python"), place.join("made"));
        if fs::read_to_string(&made).ok().as_deref() != Some(&PACKAGES.join(" ")) {
            let run = |command: &mut Command| {
                let output = command.output().expect("it runs");
                assert!(output.status.success(), "{command:?}: {}", text(&output));
            };
            run(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&place));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
            fs::write(&made, PACKAGES.join(" ")).expect("a mark");
        }
        python
    })
}

fn run_python(script: &str, arguments: &[PathBuf]) -> Output {
    Command::new(python()).args(["-c", script]).args(arguments).output().expect("python runs")
}

/// The unit, with the program of this build in place of the one that is installed.
fn unit(directory: &Path) -> PathBuf {
    let unit = read("packaging/systemd/srvd.service");
    assert!(unit.contains("ExecStart=/usr/bin/srvd serve "), "{unit}");
    let file = directory.join("srvd.service");
    fs::write(&file, unit.replace("/usr/bin/srvd", env!("CARGO_BIN_EXE_srvd"))).expect("a file");
    file
}

#[test]
fn the_unit_is_verified() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(tool("systemd-analyze", "systemd"));
    let output = command.args(["verify", "--man=no"]).arg(unit(directory.path())).output().expect("it runs");
    assert!(output.status.success() && text(&output).is_empty(), "{}", text(&output));
}

/// Exposure is rated from 0 to 10; the threshold is in tenths.
#[test]
fn the_unit_is_exposed_to_little() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(tool("systemd-analyze", "systemd"));
    command.args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(unit(directory.path()));
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn the_service_manager_is_told() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = directory.path().join("manager");
    let manager = UnixDatagram::bind(&place).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
    let heard = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut server = Setup::new().env("NOTIFY_SOCKET", place.to_str().expect("a path in UTF-8")).start();
    assert_eq!(heard(), "READY=1");
    server.process.signal("HUP");
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(), "READY=1");
    server.process.terminate();
    assert_eq!(heard(), "STOPPING=1");
}

#[test]
fn the_dockerfile_is_read_by_dockers_parser() {
    let script = "import dockerfile, json, sys
print(json.dumps([[step.cmd.upper(), list(step.value)] for step in dockerfile.parse_file(sys.argv[1])]))";
    let output = run_python(script, &[Path::new(ROOT).join("packaging/docker/Dockerfile")]);
    assert!(output.status.success(), "{}", text(&output));
    let steps: Vec<(String, Vec<String>)> = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |name: &str| {
        steps.iter().filter(|(step, _)| step == name).map(|(_, value)| value.join(" ")).collect::<Vec<_>>()
    };
    let version = concat!("rust:", env!("CARGO_PKG_RUST_VERSION"), "-alpine as build");
    assert_eq!(of("FROM").iter().map(|from| from.to_lowercase()).collect::<Vec<_>>(), [version, "scratch"]);
    assert_eq!(
        (of("USER"), of("ENTRYPOINT"), of("CMD")),
        (vec!["65532:65532".into()], vec!["/srvd".into()], vec!["serve".into()])
    );
    // Everything that is copied from here is there, and let through to the build.
    let ignored = read("packaging/docker/Dockerfile.dockerignore");
    for copied in of("COPY")
        .iter()
        .flat_map(|copy| copy.split(' ').collect::<Vec<_>>())
        .filter(|path| !path.starts_with(['.', '/']))
    {
        assert!(Path::new(ROOT).join(copied).exists() && ignored.contains(&format!("!{copied}\n")), "{copied}");
    }
}

/// What the image is built from is enough for cargo: every target that the manifest names has its file.
#[test]
fn the_image_is_built_from_what_it_copies() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for path in read("packaging/docker/Dockerfile.dockerignore").lines().filter_map(|line| line.strip_prefix('!')) {
        std::os::unix::fs::symlink(Path::new(ROOT).join(path), directory.path().join(path)).expect("a link");
    }
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(directory.path()).args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = command.output().expect("cargo runs");
    assert!(output.status.success(), "{}", text(&output));
}

/// The settings that the image brings are settings.
#[test]
fn the_image_starts_with_its_environment() {
    let dockerfile = read("packaging/docker/Dockerfile");
    let lines = dockerfile.replace("\\\n", " ");
    let line = lines.lines().find_map(|line| line.strip_prefix("ENV ")).expect("an environment");
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    command.current_dir(directory.path()).arg("check");
    for (name, value) in line.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        command.env(name, value);
    }
    let output = command.output().expect("srvd runs");
    assert!(output.status.success(), "{}", text(&output));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("unknown"), "{stderr}");
}

fn manifests() -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(ROOT).join("packaging/kubernetes")).expect("the directory");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    files
}

#[test]
fn the_manifests_fit_the_schemas_of_kubernetes() {
    let script = "import sys, yaml, kubernetes_validate
version = kubernetes_validate.latest_version()
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path)):
        try:
            kubernetes_validate.validate(document, version, strict=True)
            print(document['kind'])
        except kubernetes_validate.SchemaNotFoundError:
            print('unknown', document['kind'])";
    let output = run_python(script, &manifests());
    assert!(output.status.success(), "{}", text(&output));
    let mut kinds: Vec<String> = text(&output).lines().map(str::to_owned).collect();
    kinds.sort();
    let known = ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"];
    assert_eq!(kinds, known.iter().copied().chain(["unknown ServiceMonitor"]).collect::<Vec<_>>());
}

#[test]
fn the_manifests_agree_with_each_other_and_with_srvd() {
    let script = "import sys, yaml, json
print(json.dumps([document for path in sys.argv[1:] for document in yaml.safe_load_all(open(path))]))";
    let output = run_python(script, &manifests());
    assert!(output.status.success(), "{}", text(&output));
    let documents: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind).expect("one of each kind");
    let pod = &of("Deployment")["spec"]["template"];
    for (kind, path) in [
        ("Service", "/spec/selector"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("ServiceMonitor", "/spec/selector/matchLabels"),
    ] {
        assert_eq!(of(kind).pointer(path), Some(&pod["metadata"]["labels"]), "{kind}");
    }
    assert_eq!(of("Deployment")["spec"]["replicas"], 3);
    let container = &pod["spec"]["containers"][0];
    let named = |ports: &serde_json::Value, member: &str| {
        let mut names: Vec<String> = ports
            .as_array()
            .expect("ports")
            .iter()
            .map(|port| port[member].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(named(&container["ports"], "name"), named(&of("Service")["spec"]["ports"], "targetPort"));
    for probe in ["livenessProbe", "readinessProbe"] {
        assert!(["/healthz", "/readyz"].contains(&container[probe]["httpGet"]["path"].as_str().expect("a path")));
    }
    // The configuration is one that srvd takes; whatever the store is, all its keys are looked at.
    let config = of("ConfigMap")["data"]["config.toml"].as_str().expect("text");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("config.toml");
    fs::write(&file, config.replace("kind = \"etcd\"", "kind = \"embedded\"")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    let output = command.arg("check").arg("--config").arg(&file).output().expect("srvd runs");
    assert!(output.status.success(), "{}", text(&output));
}

/// `cargo deb` reads this table; what it lists is there.
#[test]
fn the_debian_package_has_its_files() {
    let script = "import tomllib, json, sys
print(json.dumps(tomllib.load(open(sys.argv[1], 'rb'))['package']['metadata']['deb']))";
    let output = Command::new("/usr/bin/python3")
        .args(["-c", script])
        .arg(format!("{ROOT}/Cargo.toml"))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", text(&output));
    let package: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let assets = package["assets"].as_array().expect("assets");
    let mut placed = Vec::new();
    for asset in assets {
        let [source, place] = [0, 1].map(|at| asset[at].as_str().expect("a path"));
        let is_there = match source.strip_suffix("/*") {
            Some(folder) => Path::new(ROOT).join(folder).is_dir(),
            None => source.starts_with("target/") || Path::new(ROOT).join(source).is_file(),
        };
        assert!(is_there, "{source}");
        placed.push(place);
    }
    for conffile in package["conf-files"].as_array().expect("conffiles") {
        assert!(placed.contains(&conffile.as_str().expect("a path").trim_start_matches('/')), "{conffile}");
    }
    let units = &package["systemd-units"];
    let folder = Path::new(ROOT).join(units["unit-scripts"].as_str().expect("a path"));
    assert!(folder.join("srvd.service").is_file());
}

/// The scripts that the package brings have the program write the rest.
#[test]
fn the_completion_of_bash_is_the_programs() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_srvd"), directory.path().join("srvd")).expect("a link");
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap_or_default());
    let script = format!(
        "source {ROOT}/packaging/debian/completion.bash; COMP_WORDS=(srvd com); COMP_CWORD=1; _srvd srvd com srvd; \
         echo \"${{COMPREPLY[@]}}\"; complete -p srvd"
    );
    let output = Command::new("bash").args(["-c", &script]).env("PATH", path).output().expect("bash runs");
    assert!(
        text(&output).starts_with("completions\ncomplete ") && text(&output).contains("-F _srvd srvd"),
        "{}",
        text(&output)
    );
}
