(* What it costs to hold a young value, and an old one, for C: see roots_stubs.c. *)

external measure : int list -> unit = "measure_roots"

let () =
  let young = [ Sys.opaque_identity 1 ] in
  print_endline "a young value";
  measure young;
  Gc.full_major ();
  print_endline "an old value";
  measure young
