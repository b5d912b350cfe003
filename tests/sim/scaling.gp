# Draws scaling.sh's table: gnuplot -e "csv='...'; svg='...'; speed='32'" scaling.gp
set terminal svg size 960,520 font 'Helvetica,12' background rgb 'white'
set output svg
set datafile separator ','
set multiplot layout 1,2
set border 3 lc rgb '#555555'
set tics nomirror
set grid ytics lc rgb '#dddddd'
set logscale x 4
set xrange [1:1200]
set xtics (1, 4, 16, 64, 256, 1024)
set yrange [0:105]
set xlabel 'nodes'
set ylabel 'images/s a node, % of one node alone'
set key below maxrows 3 samplen 2 font ',10'
colour(n) = n == 1 ? '#0072B2' : n == 2 ? '#E69F00' : '#009E73'
network(n) = n == 1 ? '100gbit' : n == 2 ? '25gbit' : '10gbit'
bits(n) = n == 1 ? '100 Gbit/s' : n == 2 ? '25 Gbit/s' : '10 Gbit/s'
row(scaling, net, method, pull, rate) = strcol(1) eq scaling && strcol(2) eq net && strcol(3) eq method && strcol(4) eq pull && strcol(5) eq rate
y(scaling, n, method, pull) = row(scaling, network(n), method, pull, speed) ? 100 * $14 : NaN
set datafile missing NaN
set title 'weak scaling: 32 images a node'
plot for [n=1:3] csv using 8:(y('weak', n, 'halving', 'global')) with linespoints pt 7 ps 0.5 lw 2 lc rgb colour(n) title bits(n), \
     for [n=1:3] csv using 8:(y('weak', n, 'bf16', 'global')) with linespoints pt 6 ps 0.5 lw 1.5 dt 2 lc rgb colour(n) title bits(n).', comm.compress = bf16', \
     for [n=1:3] csv using 8:(y('weak', n, 'binomial', 'global')) with linespoints pt 2 ps 0.5 lw 1 dt 3 lc rgb colour(n) title bits(n).', Open MPI''s default sums'
set title 'strong scaling: 1,024 images a step'
plot for [n=1:3] csv using 8:(y('strong', n, 'halving', 'global')) with linespoints pt 7 ps 0.5 lw 2 lc rgb colour(n) title bits(n), \
     for [n=1:3] csv using 8:(y('strong', n, 'bf16', 'global')) with linespoints pt 6 ps 0.5 lw 1.5 dt 2 lc rgb colour(n) title bits(n).', comm.compress = bf16'
unset multiplot
