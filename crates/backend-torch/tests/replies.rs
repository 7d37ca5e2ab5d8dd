//! Replies of the server as values of a script. The host here gives back what a script asks it, so each
//! test writes its own reply.

mod common;

use common::{backend_with, floats, request, script};
use redisai_backend_abi::{Host, RaiBytes, RaiHost, RaiText, SYSTEM, slice_of};
use redisai_core::{BackendError, LoadedModel};
use std::sync::{Arc, OnceLock};

/// The command's name is the reply.
unsafe extern "C" fn echo(
    _: *const RaiHost,
    _: u64,
    argv: *const RaiBytes,
    argc: usize,
    reply: *mut RaiText,
) -> i32 {
    // SAFETY: the backend's arguments, valid during the call.
    let words = unsafe { slice_of(argv, argc) };
    // SAFETY: likewise.
    let first = words.first().map(|word| unsafe { word.as_slice() });
    let text = RaiText::from_vec(first.unwrap_or_default().to_vec());
    // SAFETY: the backend's place for it.
    unsafe { reply.write(text) };
    0
}

const SOURCE: &str = "
def kind(tensors: List[Tensor], keys: List[str], args: List[str]):
    v = redis.execute(args[0])
    text = \"other\"
    if isinstance(v, NoneType):
        text = \"none\"
    elif isinstance(v, int):
        text = \"int \" + str(v)
    elif isinstance(v, str):
        text = \"str \" + v
    return bytes(text)

def bytes(text: str):
    return torch.tensor([ord(letter) for letter in text], dtype=torch.uint8)

def items(tensors: List[Tensor], keys: List[str], args: List[str]):
    text = \"\"
    for v in redis.asList(redis.execute(args[0])):
        if isinstance(v, NoneType):
            text += \"none,\"
        elif isinstance(v, int):
            text += \"int \" + str(v) + \",\"
        elif isinstance(v, str):
            text += v + \",\"
    return bytes(text)

def depth(tensors: List[Tensor], keys: List[str], args: List[str]):
    v = redis.execute(args[0])
    text = \"\"
    while not isinstance(v, int):
        v = redis.asList(v)[0]
        text += \"(\"
    return bytes(text)

def tried(tensors: List[Tensor], keys: List[str], args: List[str]):
    good, v = redis.pcall(args[0], args)
    text = \"good \" if good else \"bad \"
    if isinstance(v, str):
        text += v
    return bytes(text)
";

fn compiled() -> &'static Arc<dyn LoadedModel> {
    static MADE: OnceLock<Arc<dyn LoadedModel>> = OnceLock::new();
    MADE.get_or_init(|| {
        static TABLE: RaiHost = RaiHost {
            call: Some(echo),
            ..SYSTEM
        };
        // SAFETY: a whole table that lives for ever.
        let host = unsafe { Host::from_raw(&raw const TABLE) }.unwrap();
        backend_with(host, &[("intra_op_threads", "1")]);
        script(SOURCE, &["kind", "items", "depth", "tried"]).unwrap()
    })
}

fn ask(function: &str, reply: &[u8]) -> Result<Vec<u8>, BackendError> {
    let inputs = [floats(&[1], &[0.0])];
    let args = [reply.to_vec()];
    let mut run = request(&inputs, 1);
    run.function = function.as_bytes();
    run.args = &args;
    let outputs = compiled().run(&run)?;
    Ok(outputs[0].as_ref().expect("a tensor").bytes().to_vec())
}

fn text(function: &str, reply: &[u8]) -> Vec<u8> {
    ask(function, reply).unwrap_or_else(|error| panic!("{function} {reply:?}: {error}"))
}

#[test]
fn each_kind_of_reply_is_a_value() {
    assert_eq!(text("kind", b"+OK\r\n"), b"str OK");
    assert_eq!(text("kind", b"$-1\r\n"), b"none");
    assert_eq!(text("kind", b"*-1\r\n"), b"none");
    assert_eq!(text("kind", b"$0\r\n\r\n"), b"str ");
    assert_eq!(text("kind", b":0\r\n"), b"int 0");
    // All of 64 bits.
    for number in [i64::MAX, i64::MIN, 1 << 32, -(1 << 33)] {
        let reply = format!(":{number}\r\n");
        assert_eq!(
            text("kind", reply.as_bytes()),
            format!("int {number}").as_bytes()
        );
    }
    assert_eq!(text("kind", b"*0\r\n"), b"other");
}

#[test]
fn strings_are_whole() {
    let every: Vec<u8> = (0..=255).collect();
    let reply = [b"$256\r\n".as_slice(), &every, b"\r\n"].concat();
    assert_eq!(text("kind", &reply), [b"str ".as_slice(), &every].concat());
    // Lines within a string are none of the reply's.
    assert_eq!(text("kind", b"$6\r\n:1\r\n\r\n\r\n"), b"str :1\r\n\r\n");
}

#[test]
fn lists_hold_all_kinds_and_lists() {
    let reply = b"*5\r\n$1\r\na\r\n:-7\r\n$-1\r\n*1\r\n:1\r\n+last\r\n";
    assert_eq!(text("items", reply), b"a,int -7,none,last,");
    assert_eq!(text("items", b"*0\r\n"), b"");
}

#[test]
fn lists_nest_to_a_depth_of_128() {
    for levels in [1, 127, 128] {
        let reply = [b"*1\r\n".repeat(levels), b":1\r\n".to_vec()].concat();
        assert_eq!(text("depth", &reply), b"(".repeat(levels));
    }
    let reply = [b"*1\r\n".repeat(129), b":1\r\n".to_vec()].concat();
    let error = ask("depth", &reply).unwrap_err();
    assert!(error.text.contains("nested too deeply"), "{error}");
}

#[test]
fn errors_end_the_run_or_are_given_by_pcall() {
    let reply = b"-WRONGTYPE it is wrong\r\n";
    let error = ask("kind", reply).unwrap_err();
    let wanted = "Redis command returned an error: WRONGTYPE it is wrong";
    assert!(error.text.contains(wanted), "{error}");
    assert_eq!(text("tried", reply), b"bad WRONGTYPE it is wrong");
    assert_eq!(text("tried", b"+OK\r\n"), b"good OK");
    assert_eq!(text("tried", b"$-1\r\n"), b"good ");
    // Within a list, as EXEC gives one, nothing tells it from a text.
    let error = ask("items", b"*2\r\n:1\r\n-ERR within\r\n").unwrap_err();
    assert!(error.text.contains("ERR within"), "{error}");
}

#[test]
fn what_is_no_reply_is_an_error() {
    for reply in [
        b"".as_slice(),
        b"+OK",
        b"$5\r\nabc\r\n",
        b"$5\r\nabcde",
        b"$9223372036854775807\r\n\r\n",
        b":1x\r\n",
        b":\r\n",
        b":9223372036854775808\r\n",
        b"*2\r\n:1\r\n",
        b"*1000000000000\r\n",
        b"%1\r\n:1\r\n:2\r\n",
        b",1.5\r\n",
        b"\r\n",
    ] {
        let error = ask("kind", reply).unwrap_err();
        assert!(error.text.contains("Redis command"), "{reply:?}: {error}");
    }
}
