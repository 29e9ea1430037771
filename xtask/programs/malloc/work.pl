# Ordinary Perl: words counted in a hash, lists of lists, strings built and matched.
use strict;
use warnings;

my $total = 0;
for my $turn (1 .. 2) {
    my (%count, @rows);
    for my $i (1 .. 60000) {
        my $word = "word" . ($i * 7919 % 20011);
        $count{$word}++;
        push @rows, [$i, $word, "x" x ($i % 40)];
    }
    my @sorted = sort { $a->[1] cmp $b->[1] || $a->[0] <=> $b->[0] } @rows;
    my $text = join ",", map { "$_->[1]=$_->[2]" } @sorted;
    my $matches = () = $text =~ /word\d*7=x+/g;
    $total += length($text) + $matches + keys %count;
}
print "checksum=$total\n";
