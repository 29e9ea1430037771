(* The load of gc/heap/examples/pauses.rs: a table of trees of 15 nodes, steps that allocate 68 of them and put a few in
   the places of random older ones, at a rate. Told are how long steps took and how late they ended, in
   microseconds. Arguments: live MB, counted as there, MB/s, seconds, kept of each step. *)

type tree = Leaf | Node of tree * tree

let rec make depth =
  if depth = 0 then Node (Leaf, Leaf)
  else
    let left = make (depth - 1) in
    let right = make (depth - 1) in
    Node (left, right)

let rec count = function
  | Leaf -> 0
  | Node (left, right) -> 1 + count left + count right

let mib = 1024. *. 1024.
let step = 68
let chunk = 1024

let () =
  let number i = float_of_string Sys.argv.(i) in
  let records = int_of_float (number 1 *. mib /. 248.) in
  let period = float_of_int (step * 240) /. (number 2 *. mib) in
  let seconds = number 3 and keep = int_of_float (number 4) in
  let chunks = (records + chunk - 1) / chunk in
  let table = Array.init chunks (fun _ -> Array.init chunk (fun _ -> make 3)) in
  let random = Random.State.make [| 1 |] in
  let some () = Random.State.int random records in
  let most = int_of_float (seconds /. period) + 2 in
  let took = Array.make most 0. and late = Array.make most 0. in
  let begun = Unix.gettimeofday () in
  let now () = Unix.gettimeofday () -. begun in
  let rec run n due =
    if due >= seconds then n
    else begin
      let began = now () in
      let ready =
        if began +. 60e-6 < due then begin
          Unix.sleepf (due -. began);
          now ()
        end
        else due
      in
      let began = now () in
      for i = 0 to step - 1 do
        let fresh = make 3 in
        if i < keep then begin
          let at = some () in
          table.(at / chunk).(at mod chunk) <- fresh
        end
      done;
      let at = some () in
      assert (count table.(at / chunk).(at mod chunk) = 15);
      let ended = now () in
      took.(n) <- ended -. began;
      late.(n) <- Float.max 0. (ended -. ready);
      run (n + 1) (due +. period)
    end
  in
  let steps = run 0 0. in
  let tell name times =
    let times = Array.sub times 0 steps in
    Array.sort compare times;
    let at share =
      let i = int_of_float (Float.ceil (share *. float_of_int steps)) - 1 in
      1e6 *. times.(max 0 (min (steps - 1) i))
    in
    Printf.printf "%s %d %.1f %.1f %.1f %.1f\n" name steps (at 0.5) (at 0.99) (at 0.999) (at 1.)
  in
  tell "steps" took;
  tell "late" late
