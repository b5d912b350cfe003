#!/usr/bin/env bash
# Exported files as others read them, and back: elmpi's logits equal PyTorch's (torchvision's resnet18 and resnet50, CIFAR ResNets and perceptrons
# written in exported.py; load_state_dict strict) and OpenCV's reading of the ONNX file to 1e-4; ONNX's checker is content. Weights of PyTorch begin a
# run (--init) and come out again to the bit.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

python=/usr/bin/python3
for module in torch torchvision onnx cv2 PIL; do
    "$python" -c "import $module" 2>/dev/null || skip "$python has no $module (tools/packages.sh full)"
done
export OMP_NUM_THREADS=2
limit=3000
exported=$ELMPI_SOURCE/tests/full/exported.py
train=$ELMPI_BIN/elmpi-train
logits=$(dirname "$ELMPI_BIN")/tests/network_logits

expect 0 "$python" "$exported" images "$scratch/images"
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive "$scratch/images" --out "$scratch/images.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"

# compare RUN MODEL HEAD SHAPE FEATURES CLASSES [WEIGHTS]: a run's checkpoint, exported both ways
compare() {
    local run=$scratch/$1 model=$2 head=$3 shape=$4 features=$5 classes=$6 channels height width
    shift 6
    IFS=, read -r channels height width <<<"$shape,0,0"
    for format in safetensors onnx; do
        expect 0 "$ELMPI_BIN/elmpi-export" "$run/checkpoint.h5" --to "$run/model.$format"
    done
    expect 0 "$python" "$exported" input "5,$shape" "$run/input"
    "$logits" "$run/checkpoint.h5" "$model" "$head" "$channels" "${height%%,*}" "${width%%,*}" "$features" "$classes" <"$run/input" >"$run/logits" ||
        fail "no logits of $model"
    [ "$head" = linear ] || model+=+cosine
    expect 0 "$python" "$exported" compare "$model" "$shape" "$classes" "$run/input" "$run/logits" "$run/model.safetensors" "$run/model.onnx" "$@"
    cat "$scratch/stdout"
}

# --- PyTorch's weights in, and out again
printf '[run]\nname = x\n[data]\nstore = %s\naugment = none\n[optim]\nepochs = 1\nbatch = 8\nlr = 0.01\n' "$scratch/images.h5" >"$scratch/images.ini"
for row in resnet18:64 resnet50:64 cifar-resnet20:32 cifar-resnet32-menon:32; do
    model=${row%:*} side=${row#*:}
    expect 0 "$python" "$exported" weights "$model" 3 3 "$scratch/$model.safetensors"
    expect 0 "$train" "$scratch/images.ini" --set "model.name=$model" --set "data.crop=$side" --init "$scratch/$model.safetensors" --max-steps 0 \
        --run-dir "$scratch/$model"
    compare "$model" "$model" linear "3,$side,$side" 0 3 "$scratch/$model.safetensors"
done

# --- from an image's file to its logits with nothing but the exported file
for row in resnet18:64:0:store cifar-resnet20:32:40:half; do
    IFS=: read -r model side resize normalize <<<"$row"
    expect 0 "$train" "$scratch/images.ini" --set "model.name=$model" --set "data.crop=$side" --set "data.resize=$resize" --set "data.normalize=$normalize" --init "$scratch/$model.safetensors" \
        --max-steps 0 --run-dir "$scratch/pixels-$model"
    expect 0 "$ELMPI_BIN/elmpi-export" "$scratch/pixels-$model/checkpoint.h5" --to "$scratch/pixels.safetensors"
    expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/pixels-$model/checkpoint.h5" --split val --embeddings "$scratch/pixels.h5"
    expect 0 "$python" "$exported" reproduce "$model" 3 "$scratch/images" "$scratch/pixels.safetensors" "$scratch/pixels.h5"
    cat "$scratch/stdout"
done

# --- a network of other classes: refused with the remedy, then fine-tuned with a last layer of its own
expect 0 "$python" "$exported" weights cifar-resnet20 3 7 "$scratch/seven.safetensors"
tune=("$train" "$scratch/images.ini" --set model.name=cifar-resnet20 --set data.crop=32 --init "$scratch/seven.safetensors")
expect_mpi 1 2 "${tune[@]}" --run-dir "$scratch/tuned"
says stderr 'model/fc\.weight is \[7 x 64\], the network needs \[3 x 64\].*run\.new_classifier = true'
expect_mpi 0 2 "${tune[@]}" --set run.new_classifier=true --run-dir "$scratch/tuned"
compare tuned cifar-resnet20 linear 3,32,32 0 3

# --- what elmpi has trained
digits=("$ELMPI_SOURCE/jobs/digits-ce.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=2 --set optim.warmup_epochs=0)
expect 0 "$train" "${digits[@]}" --set model.name=cifar-resnet8 --run-dir "$scratch/trained"
compare trained cifar-resnet8 linear 1,8,8 0 10
expect 0 "$train" "${digits[@]}" --set model.name=cifar-resnet8 --set model.head=cosine --set loss.logit=ldam --run-dir "$scratch/cosine"
compare cosine cifar-resnet8 cosine 1,8,8 0 10
expect 0 "$train" "${digits[@]}" --set model.name=mlp:16,8 --run-dir "$scratch/mlp"
compare mlp mlp:16,8 linear 1,8,8 0 10
expect 0 "$train" "$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --set optim.epochs=3 --run-dir "$scratch/moons"
compare moons mlp:16,8,2 linear 2 2 2
