(* Calls of C from OCaml. Nanoseconds for each turn of a loop. *)

external now : unit -> float = "stub_now"
external add : int -> int -> int = "stub_add"
external first : string -> int = "stub_first"
external strlen : string -> int = "stub_strlen"
external first_of : bytes -> int = "stub_first_of"
external fails : unit -> int = "stub_fails"
external each : int -> (int -> int) -> int = "stub_each"
external keep : (int -> int) -> unit = "stub_keep"
external each_kept : int -> int = "stub_each_kept"
external root : bytes -> unit = "stub_root"

let time_of run n =
  let began = now () in
  run n;
  now () -. began

(* As many turns as take 20 ms, seven times; the least counts. *)
let measure name run =
  let n = ref 1 in
  while time_of run !n < 2e7 do
    n := !n * 2
  done;
  let least = ref infinity in
  for _ = 1 to 7 do
    least := min !least (time_of run !n /. float_of_int !n)
  done;
  Printf.printf "%s=%f\n" name !least

let next i = i + 1

let () =
  assert (add 2 3 = 5 && fails () = 2);
  measure "loop" (fun n -> for i = 1 to n do ignore (Sys.opaque_identity i) done);
  measure "add" (fun n -> for i = 1 to n do ignore (add i 1) done);
  measure "errno" (fun n -> for _ = 1 to n do ignore (fails ()) done);
  List.iter
    (fun (name, size) ->
      let text = String.make size 'a' and bytes = Bytes.make size '\007' in
      assert (strlen text = size && first text = 97 && first_of bytes = 7);
      measure ("string_" ^ name) (fun n -> for _ = 1 to n do ignore (first text) done);
      measure ("strlen_" ^ name) (fun n -> for _ = 1 to n do ignore (strlen text) done);
      measure ("buffer_" ^ name) (fun n -> for _ = 1 to n do ignore (first_of bytes) done))
    [ ("16", 16); ("4k", 4096); ("1m", 1048576) ];
  keep next;
  assert (each 1000 next = 500500 && each_kept 1000 = 500500);
  measure "callbacks" (fun n -> for _ = 1 to n do ignore (each 1000 next) done);
  measure "kept" (fun n -> for _ = 1 to n do ignore (each_kept 1000) done);
  measure "lend" (fun n -> for _ = 1 to n do ignore (each 1 next) done);
  let bytes = Bytes.create 64 in
  measure "handle" (fun n -> for _ = 1 to n do root bytes done)
