;;; Numbers of C's sizes in bytevectors, in the machine's byte order; offsets are in bytes.
(define-library (bowline bytevectors)
  (import (bowline primitives))
  (export
    bytevector-fill!
    bytevector-ieee-double-native-ref bytevector-ieee-double-native-set!
    bytevector-ieee-single-native-ref bytevector-ieee-single-native-set!
    bytevector-s16-native-ref bytevector-s16-native-set!
    bytevector-s32-native-ref bytevector-s32-native-set!
    bytevector-s64-native-ref bytevector-s64-native-set!
    bytevector-s8-ref bytevector-s8-set!
    bytevector-u16-native-ref bytevector-u16-native-set!
    bytevector-u32-native-ref bytevector-u32-native-set!
    bytevector-u64-native-ref bytevector-u64-native-set!))
