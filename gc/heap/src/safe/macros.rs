//! The macro that declares kinds.

/// Declares a language's kinds of objects.
///
/// | declaration | an object of |
/// |---|---|
/// | `record Name = N { a, b }` | values, with a [`Field`](crate::safe::Field) for each and `Name::make` |
/// | `record Name = N [x: f64] { a }` | raw words, with a [`RawField`](crate::safe::RawField) for each, then values |
/// | `values Name = N;` | any number of values |
/// | `weak values Name = N;` | any number of values that do not keep their objects alive |
/// | `bytes Name = N;` | bytes that never change |
/// | `text Name = N;` | UTF-8 that never changes |
/// | `buffer Name = N;` | bytes that change |
///
/// A number is at least 16 and belongs to one kind. `const NAMES;` first makes a table of the kinds for
/// [`Heap::start_with`](crate::safe::Heap::start_with), so that errors call them by name.
///
/// ```
/// use bowline_gc::safe::{AllocError, Heap, HeapConfig};
///
/// bowline_gc::kinds! {
///     const KINDS;
///     /// A procedure.
///     record Closure = 16 { parameters, body, environment }
///     /// A point with a label.
///     record Point = 17 [x: f64, y: f64] { label }
///     /// A name.
///     text Symbol = 18;
/// }
///
/// let heap = Heap::start_with(HeapConfig::default(), KINDS)?;
/// heap.attach()?.scope(|s| {
///     let label = s.text::<Symbol>("north")?;
///     let point = Point::make(s, 0.0, 1.5, label)?;
///     let view = s.view(point);
///     assert_eq!(view.raw(Point::y), 1.5);
///     assert_eq!(view.get(Point::label).cast::<Symbol>()?.as_str(), "north");
///     let wrong = view.erase().cast::<Closure>().unwrap_err();
///     assert_eq!(wrong.to_string(), "wanted a Closure, found a Point");
///     Ok::<_, Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! kinds {
    ($vis:vis const $table:ident; $($rest:tt)*) => {
        $crate::kinds!(@table [$vis $table] [] $($rest)*);
        $crate::kinds!($($rest)*);
    };

    // The table: one kind after the other, then all of them.
    (@table [$vis:vis $table:ident] [$($seen:ident)*]) => {
        /// The kinds of this language, by name.
        $vis const $table: &[$crate::safe::KindInfo] = &[$($crate::safe::KindInfo::of::<$seen>()),*];
    };
    (@table $table:tt [$($seen:ident)*]
        $(#[$meta:meta])* $vis:vis record $name:ident = $id:literal
        $([$($raw:tt)*])? {$($fields:tt)*} $($rest:tt)*) => {
        $crate::kinds!(@table $table [$($seen)* $name] $($rest)*);
    };
    (@table $table:tt [$($seen:ident)*]
        $(#[$meta:meta])* $vis:vis weak values $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@table $table [$($seen)* $name] $($rest)*);
    };
    (@table $table:tt [$($seen:ident)*]
        $(#[$meta:meta])* $vis:vis $form:ident $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@table $table [$($seen)* $name] $($rest)*);
    };

    // One kind of a form.
    (@kind [$($meta:tt)*] $vis:vis $name:ident $id:literal $form:ty) => {
        $($meta)*
        #[derive(Debug)]
        $vis enum $name {}

        impl $crate::safe::Object for $name {
            const NAME: &'static str = stringify!($name);
            const ID: u16 = $id;
            type Form = $form;
        }
    };

    () => {};
    ($(#[$meta:meta])* $vis:vis record $name:ident = $id:literal
        $([$($raw:ident: $raw_type:ty),* $(,)?])? {$($field:ident),* $(,)?} $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::Record<
            { <[&str]>::len(&[$($(stringify!($raw)),*)?]) },
            { <[&str]>::len(&[$(stringify!($field)),*]) },
        >);

        #[allow(
            non_upper_case_globals, non_camel_case_types, dead_code, clippy::too_many_arguments,
            reason = "fields are called what the record calls them"
        )]
        const _: () = {
            enum Raw { $($($raw,)*)? }
            enum Fields { $($field,)* }

            impl $name {
                $($(
                    #[doc = concat!("The raw field `", stringify!($raw), "`.")]
                    $vis const $raw: $crate::safe::RawField<$name, $raw_type> =
                        $crate::safe::RawField::nth(Raw::$raw as usize);
                )*)?
                $(
                    #[doc = concat!("The field `", stringify!($field), "`.")]
                    $vis const $field: $crate::safe::Field<$name> =
                        $crate::safe::Field::nth(Fields::$field as usize);
                )*

                /// A fresh record.
                #[inline]
                $vis fn make<'a, 's>(
                    scope: &mut $crate::safe::Scope<'s>,
                    $($($raw: $raw_type,)*)?
                    $($field: impl Into<$crate::safe::Operand<'a>>,)*
                ) -> Result<$crate::safe::Local<'s, $name>, $crate::safe::AllocError> {
                    scope.record(
                        [$($($crate::safe::RawWord::to_word($raw)),*)?],
                        [$($field.into()),*],
                    )
                }
            }
        };
        $crate::kinds!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis weak values $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::WeakValues);
        $crate::kinds!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis values $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::Values);
        $crate::kinds!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis bytes $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::Bytes);
        $crate::kinds!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis text $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::Text);
        $crate::kinds!($($rest)*);
    };
    ($(#[$meta:meta])* $vis:vis buffer $name:ident = $id:literal; $($rest:tt)*) => {
        $crate::kinds!(@kind [$(#[$meta])*] $vis $name $id $crate::safe::Buffer);
        $crate::kinds!($($rest)*);
    };
}
