# What a Perl program does with memory: hashes, text, references, a child.
use strict;
use warnings;

my %table;
for my $i (0 .. 80_000) {
    my $word = "key" . ($i * 7919 % 50_021);
    push @{ $table{$word} }, $i;
}
my @sorted = sort { $table{$b}[0] <=> $table{$a}[0] || $a cmp $b } keys %table;
print scalar(@sorted), " $sorted[0] $sorted[-1]\n";

my $text = join ' ', map { "$_=" . join ',', @{ $table{$_} } } sort keys %table;
my $count = () = $text =~ /(\d+),(\d*3\d*)\b/g;
(my $changed = $text) =~ s/key(\d+)/sprintf '%x', $1/ge;
print length($text), " $count ", length($changed), "\n";

my $long = 'x' x 3_000_000;
$long .= 'y' for 1 .. 100_000;
print length($long), ' ', unpack('%32C*', $long), "\n";

my @cycle = map { { number => $_ } } 1 .. 5000;
$cycle[$_]{next} = $cycle[ ($_ + 1) % @cycle ] for 0 .. $#cycle;
undef $_->{next} for @cycle;

my $pid = fork // die "fork: $!";
if ($pid == 0) {
    my @more = map { 'z' x $_ } 1 .. 2000;
    exit(@more == 2000 ? 0 : 1);
}
waitpid $pid, 0;
print "child $?\n";
