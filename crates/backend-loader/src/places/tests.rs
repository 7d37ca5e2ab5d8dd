use super::*;
use crate::frameworks;
use redisai_core::BackendKind;

/// A directory that is gone afterwards.
struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("redisai-places-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn folder(&self, path: &str) -> PathBuf {
        let path = self.0.join(path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn sites(places: &[Place]) -> Vec<PathBuf> {
    places
        .iter()
        .filter_map(|it| it.site_packages.clone())
        .collect()
}

#[test]
fn a_named_python_is_the_only_place() {
    let temp = Temp::new("named");
    let site = temp.folder("venv/lib/python3.11/site-packages");
    let interpreter = temp.file("venv/bin/python", "");
    let other = temp.folder("other/lib/python3.12/site-packages");
    let module = temp.file(
        "other/lib/python3.12/site-packages/redisai_rs/lib/redisai.so",
        "",
    );
    let environment = Environment {
        redisai_python: Some(temp.0.join("other")),
        virtual_env: Some(temp.0.join("other")),
        path: vec![temp.0.join("venv/bin")],
        ..Environment::default()
    };
    for named in [
        temp.0.join("venv"),
        interpreter,
        site.clone(),
        PathBuf::from("python"),
    ] {
        let places = of(Some(&named), Some(&module), &environment);
        assert_eq!(sites(&places), std::slice::from_ref(&site), "{named:?}");
        assert_eq!(places[0].why, "PYTHON");
    }
    let places = of(None, Some(&module), &environment);
    assert_eq!((places.len(), places[0].why), (1, "REDISAI_PYTHON"));
    assert_eq!(sites(&places), [other]);
    let places = of(Some(Path::new("/nonexistent")), Some(&module), &environment);
    assert_eq!(sites(&places), Vec::<PathBuf>::new());
    assert_eq!(places[0].named, Path::new("/nonexistent"));
}

#[test]
fn the_places_that_are_found_come_in_order() {
    let temp = Temp::new("found");
    let around = temp.folder("a/lib/python3.11/site-packages");
    let module = temp.file(
        "a/lib/python3.11/site-packages/redisai_rs/lib/redisai.so",
        "",
    );
    let venv = temp.folder("v/lib/python3.11/site-packages");
    let noted = temp.folder("n/lib/python3.11/site-packages");
    let text = format!("{}\nignored\n", noted.display());
    temp.file(
        "a/lib/python3.11/site-packages/redisai_rs/lib/site-packages.txt",
        &text,
    );
    let environment = Environment {
        virtual_env: Some(temp.0.join("v")),
        ..Environment::default()
    };
    let places = of(None, Some(&module), &environment);
    assert_eq!(sites(&places), [around, noted, venv]);
    assert_eq!(of(None, None, &Environment::default()), []);
}

#[test]
fn a_prefix_may_have_several_pythons() {
    let temp = Temp::new("prefix");
    let old = temp.folder("p/lib/python3.9/site-packages");
    let new = temp.folder("p/lib/python3.11/site-packages");
    let debian = temp.folder("p/lib/python3/dist-packages");
    temp.folder("p/lib/python2.7/site-packages");
    std::os::unix::fs::symlink("lib", temp.0.join("p/lib64")).unwrap();
    let places = of(Some(&temp.0.join("p")), None, &Environment::default());
    assert_eq!(sites(&places), [new, old, debian]);
}

#[test]
fn the_library_is_found_by_its_real_name() {
    let temp = Temp::new("library");
    let onnx = frameworks::of(BackendKind::Onnx).unwrap();
    assert_eq!(library_in(&temp.0, onnx), None);
    for name in [
        "libonnxruntime_providers_shared.so",
        "libonnxruntime.so.1.9.0",
        "libonnxruntime.so.1.32.0",
        "libonnxruntime.something",
        "onnxruntime_pybind11_state.so",
    ] {
        temp.file(&format!("onnxruntime/capi/{name}"), "");
    }
    let found = library_in(&temp.0, onnx).unwrap();
    assert_eq!(found.file_name().unwrap(), "libonnxruntime.so.1.32.0");
}

#[test]
fn the_version_is_that_of_the_wheel() {
    let temp = Temp::new("version");
    let onnx = frameworks::of(BackendKind::Onnx).unwrap();
    assert_eq!(version_in(&temp.0, onnx), None);
    temp.folder("onnxruntime_extensions-0.1.dist-info");
    temp.folder("onnxruntime-1.32.0.dist-info");
    let cpu = ("onnxruntime".to_owned(), "1.32.0".to_owned());
    assert_eq!(version_in(&temp.0, onnx), Some(cpu));
    temp.folder("onnxruntime_gpu-1.31.0.dist-info");
    let gpu = ("onnxruntime_gpu".to_owned(), "1.31.0".to_owned());
    assert_eq!(version_in(&temp.0, onnx), Some(gpu));
}
