//! What `doctor` is told.

mod common;

use common::{Temp, compile, config};
use redisai_backend_loader::Loader;
use redisai_core::BackendKind;

#[test]
fn discovery_says_what_is_there() {
    let temp = Temp::new();
    let library = compile(&temp.0.join("backends"), &[]);
    let site = temp.0.join("lib/python3.12/site-packages");
    std::fs::create_dir_all(site.join("onnxruntime/capi")).unwrap();
    std::fs::create_dir_all(site.join("onnxruntime-1.40.0.dist-info")).unwrap();
    let framework = site.join("onnxruntime/capi/libonnxruntime.so.1.40.0");
    std::fs::copy(&library, &framework).unwrap();
    let mut config = config(&temp.0.join("backends"), &[]);
    config.module = Some(temp.0.join("redisai.so"));
    config.backends_path = None;
    config.python = Some(temp.0.clone());
    let loader = Loader::new(config);
    let found = loader.discover();
    assert_eq!(found.len(), 4);
    let onnx = found.iter().find(|it| it.backend == "ONNX").unwrap();
    assert_eq!(onnx.problem, None);
    assert!(onnx.installed);
    assert_eq!(onnx.library, library.to_string_lossy());
    assert_eq!(onnx.framework.as_deref(), framework.to_str());
    assert_eq!(onnx.wheel.as_deref(), Some("onnxruntime"));
    assert_eq!(onnx.version.as_deref(), Some("1.40.0"));
    assert!(onnx.searched[0].contains("PYTHON"));
    let torch = found.iter().find(|it| it.backend == "TORCH").unwrap();
    let problem = torch.problem.as_ref().unwrap();
    assert!(problem.contains("redisai_torch.so"), "{problem}");
    assert!(!torch.installed);
    std::fs::write(&framework, "text").unwrap();
    let onnx = loader.discover_one(BackendKind::Onnx);
    assert!(onnx.problem.unwrap().contains("is a text file"));
    std::fs::remove_file(&framework).unwrap();
    let onnx = loader.discover_one(BackendKind::Onnx);
    assert!(onnx.problem.unwrap().contains("pip install"));
}

#[test]
fn discovery_looks_where_the_system_does() {
    let temp = Temp::new();
    let library = compile(&temp.0, &[]);
    let real = temp.0.join("libonnxruntime.so.1.17.3");
    std::fs::copy(&library, &real).unwrap();
    std::os::unix::fs::symlink(&real, temp.0.join("libonnxruntime.so")).unwrap();
    let mut config = config(&temp.0, &[]);
    config.environment.library_path = vec![temp.0.clone()];
    let onnx = Loader::new(config).discover_one(BackendKind::Onnx);
    assert_eq!(onnx.problem, None);
    let link = temp.0.join("libonnxruntime.so");
    assert_eq!(onnx.framework.as_deref(), link.to_str());
    assert_eq!(
        (onnx.wheel, onnx.version),
        (None, Some("1.17.3".to_owned()))
    );
}
