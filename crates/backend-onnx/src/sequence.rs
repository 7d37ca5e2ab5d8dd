//! Outputs that are sequences of maps to FLOAT (scikit-learn's ZipMap), as FLOAT `[n, classes]`.

use crate::environment::Environment;
use crate::error::{Doing, unsupported};
use crate::external::Classes;
use crate::handles::{ShapeInfo, Value};
use crate::signature::shape_of;
use crate::sys::ort;
use crate::tensor::{dtype_of, strings_of};
use ort_sys::OrtApi;
use redisai_backend_abi::{Host, HostBytes};
use redisai_core::{BackendError, DType, Shape, Tensor};

/// The tensor of such a sequence: a row for each map, a column for each key, in the order of
/// `classes` where the model says it, else in the order of the maps. `None` if the maps have not all
/// the same keys.
pub(crate) fn zip_map(
    environment: &'static Environment,
    value: &Value,
    classes: Option<&Classes>,
) -> Result<Option<Tensor>, BackendError> {
    let api = environment.api();
    let mut rows = 0;
    // SAFETY: the value is a sequence.
    unsafe {
        ort!(
            api,
            Doing::Run,
            GetValueCount(value.as_ptr(), &raw mut rows)
        )?;
    }
    let mut table = Table {
        keys: None,
        order: Vec::new(),
        columns: classes.map_or(0, Classes::len),
        data: Vec::new(),
    };
    for row in 0..rows {
        let map = element(environment, value, row)?;
        let keys = keys_of(api, &element(environment, &map, 0)?)?;
        let values = element(environment, &map, 1)?;
        if !table.add(keys, &floats(api, &values)?, classes) {
            return Ok(None);
        }
    }
    Ok(table.finish(environment.host, rows))
}

struct Table {
    /// The keys of the first map.
    keys: Option<Classes>,
    /// Column of each key.
    order: Vec<usize>,
    columns: usize,
    data: Vec<f32>,
}

impl Table {
    /// Adds a row. False if it does not fit the others.
    fn add(&mut self, keys: Classes, values: &[f32], classes: Option<&Classes>) -> bool {
        match &self.keys {
            Some(first) if *first != keys => return false,
            Some(_) => {}
            None => {
                self.columns = keys.len();
                self.order = columns(&keys, classes);
                self.keys = Some(keys);
            }
        }
        if values.len() != self.columns {
            return false;
        }
        let start = self.data.len();
        self.data.resize(start + self.columns, 0.0);
        for (&column, &value) in self.order.iter().zip(values) {
            if let Some(place) = self.data.get_mut(start + column) {
                *place = value;
            }
        }
        true
    }

    fn finish(self, host: Host, rows: usize) -> Option<Tensor> {
        let dims = [i64::try_from(rows).ok()?, i64::try_from(self.columns).ok()?];
        let shape = Shape::new(&dims).ok()?;
        let mut bytes = HostBytes::zeroed(host, self.data.len() * size_of::<f32>())?;
        for (place, value) in bytes
            .bytes_mut()
            .chunks_exact_mut(size_of::<f32>())
            .zip(&self.data)
        {
            place.copy_from_slice(&value.to_ne_bytes());
        }
        Tensor::new(DType::Float, shape, Box::new(bytes)).ok()
    }
}

/// The column of each key: its place in the model's list, if that is a list of just these keys.
fn columns(keys: &Classes, classes: Option<&Classes>) -> Vec<usize> {
    let in_list = classes
        .filter(|classes| classes.len() == keys.len())
        .and_then(|classes| match (keys, classes) {
            (Classes::Ints(keys), Classes::Ints(list)) => places(keys, list),
            (Classes::Strings(keys), Classes::Strings(list)) => places(keys, list),
            _ => None,
        });
    in_list.unwrap_or_else(|| (0..keys.len()).collect())
}

/// The place of each key in `list`. The keys of a map are all different, so as many places are too.
fn places<K: Ord>(keys: &[K], list: &[K]) -> Option<Vec<usize>> {
    let mut sorted: Vec<_> = list
        .iter()
        .enumerate()
        .map(|(place, key)| (key, place))
        .collect();
    sorted.sort_unstable();
    keys.iter()
        .map(|key| {
            let found = sorted.binary_search_by_key(&key, |entry| entry.0).ok()?;
            sorted.get(found).map(|entry| entry.1)
        })
        .collect()
}

/// An element of a sequence, or the keys (0) or values (1) of a map.
fn element(
    environment: &'static Environment,
    value: &Value,
    index: usize,
) -> Result<Value, BackendError> {
    let api = environment.api();
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    // SAFETY: the value is a sequence or map, and the function checks the index; what it writes is
    // the caller's.
    unsafe {
        Value::make(api, Doing::Run, |out| {
            (api.GetValue)(value.as_ptr(), index, environment.allocator.as_ptr(), out)
        })
    }
}

fn describe(api: &'static OrtApi, value: &Value) -> Result<(Option<DType>, usize), BackendError> {
    // SAFETY: keys and values of a map are tensors; the info is the caller's.
    let info = unsafe {
        ShapeInfo::make(api, Doing::Run, |out| {
            (api.GetTensorTypeAndShape)(value.as_ptr(), out)
        })
    }?;
    let (element, dims) = shape_of(api, info.as_ptr(), Doing::Run)?;
    let count = Shape::new(&dims).map_or(0, |shape| shape.elements());
    Ok((dtype_of(element), count))
}

fn keys_of(api: &'static OrtApi, keys: &Value) -> Result<Classes, BackendError> {
    let (dtype, count) = describe(api, keys)?;
    if dtype == Some(DType::String) {
        if count == 0 {
            return Ok(Classes::Strings(Vec::new()));
        }
        let (bytes, starts) = strings_of(api, keys, count)?;
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        let strings = starts.iter().zip(ends);
        let strings =
            strings.map(|(&start, end)| bytes.get(start..end).unwrap_or_default().to_vec());
        return Ok(Classes::Strings(strings.collect()));
    }
    if dtype != Some(DType::Int64) {
        return Err(unsupported(
            "ERR the model's map has keys that are neither INT64 nor STRING",
        ));
    }
    // SAFETY: just looked.
    Ok(Classes::Ints(unsafe { numbers(api, keys, count) }?))
}

fn floats(api: &'static OrtApi, values: &Value) -> Result<Vec<f32>, BackendError> {
    let (dtype, count) = describe(api, values)?;
    if dtype != Some(DType::Float) {
        return Err(unsupported(
            "ERR the model's map has values that are no FLOAT",
        ));
    }
    // SAFETY: just looked.
    unsafe { numbers(api, values, count) }
}

/// The elements of a tensor.
///
/// # Safety
/// `value` is a tensor of `count` elements of type `T`.
unsafe fn numbers<T: Copy>(
    api: &'static OrtApi,
    value: &Value,
    count: usize,
) -> Result<Vec<T>, BackendError> {
    let mut start = std::ptr::null_mut();
    // SAFETY: the caller's promise; no alignment is assumed.
    unsafe {
        ort!(
            api,
            Doing::Run,
            GetTensorMutableData(value.as_ptr(), &raw mut start)
        )?;
        let start: *const T = start.cast_const().cast();
        if start.is_null() {
            return Ok(Vec::new());
        }
        Ok((0..count)
            .map(|index| start.add(index).read_unaligned())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(keys: &[&str]) -> Classes {
        Classes::Strings(keys.iter().map(|key| key.as_bytes().to_vec()).collect())
    }

    #[test]
    fn columns_follow_the_model() {
        let keys = strings(&["a", "b", "c"]);
        assert_eq!(columns(&keys, Some(&strings(&["c", "a", "b"]))), [1, 2, 0]);
        assert_eq!(
            columns(
                &Classes::Ints(vec![-1, 7]),
                Some(&Classes::Ints(vec![7, -1]))
            ),
            [1, 0]
        );
    }

    #[test]
    fn a_list_that_is_not_of_these_keys_is_not_used() {
        let keys = strings(&["a", "b"]);
        for list in [
            strings(&["a", "x"]),
            strings(&["a"]),
            strings(&["a", "a"]),
            Classes::Ints(vec![1, 2]),
        ] {
            assert_eq!(columns(&keys, Some(&list)), [0, 1], "{list:?}");
        }
        assert_eq!(columns(&keys, None), [0, 1]);
    }

    #[test]
    fn rows_with_other_keys_make_no_tensor() {
        let mut table = Table {
            keys: None,
            order: Vec::new(),
            columns: 0,
            data: Vec::new(),
        };
        assert!(table.add(strings(&["a", "b"]), &[1.0, 2.0], None));
        assert!(!table.add(strings(&["a", "c"]), &[1.0, 2.0], None));
    }
}
